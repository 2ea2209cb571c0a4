/* SPDX-License-Identifier: MIT */
/* Driver tests that ask the software NIC what it saw, or have it do something: driver_more.c. */
#pragma once

void a_closed_port_is_the_firmwares(void **state);
void modules_come_and_go(void **state);
void a_cable_has_no_laser(void **state);
void faults_are_told_once(void **state);
void a_queue_that_hangs_is_restarted(void **state);
void a_restart_that_does_not_help_is_followed_by_a_reset(void **state);
void other_causes_fire_once_per_arming(void **state);
void other_causes_leave_those_of_queues(void **state);
void a_vector_keeps_its_interval(void **state);
void sent_frames_interrupt_on_each_queue(void **state);
void a_vector_is_armed_alone(void **state);
void sent_frames_go_round_the_ring(void **state);
void a_large_frame_follows_small_ones(void **state);
void a_long_burst_reports_on_its_way(void **state);
void broken_frames_stay_in_the_nic(void **state);
void each_queue_is_set_up_alike(void **state);
void settings_live_through_a_stop(void **state);
void queues_have_their_counters(void **state);
void further_addresses_filter(void **state);
void pause_frames_stay_in_the_nic(void **state);
void a_stop_sends_what_it_has(void **state);
void a_queue_that_nobody_serves_holds_up_no_other(void **state);
