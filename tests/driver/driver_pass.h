/* SPDX-License-Identifier: MIT */
#pragma once

/* The main function of a program that a keeper became: what driver_pass.c wrote, from the word
 * "keeper" on. */
int next_keeper_main(int argc, char **argv);
