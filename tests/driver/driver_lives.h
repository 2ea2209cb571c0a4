/* SPDX-License-Identifier: MIT */
/* Driver tests of drivers that follow each other on one device: driver_lives.c. */
#pragma once

void a_successor_goes_on(void **state);
void an_idle_driver_leaves_nothing_to_repeat(void **state);
void a_stopped_port_is_begun_anew(void **state);
