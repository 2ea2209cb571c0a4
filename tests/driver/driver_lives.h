/* SPDX-License-Identifier: MIT */
/* Driver tests of drivers that follow each other on one device: driver_lives.c, driver_pass.c. */
#pragma once

void a_successor_goes_on(void **state);
void an_idle_driver_leaves_nothing_to_repeat(void **state);
void a_stopped_port_is_begun_anew(void **state);
void a_reset_makes_the_next_one_begin_anew(void **state);
void a_driver_dies_within_an_access(void **state);
void a_program_of_its_own_goes_on(void **state);
void a_keeper_becomes_another_program(void **state);

/* The main function of a driver or keeper that is a program of its own, with arguments of these
 * files' making. */
int life_main(int argc, char **argv);
