/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The numbered lines of the rotate harness: making them, and finding each of them again. */

#include "lib/base/macro.h"

#define ID         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define RECORD_MAX 1024

/* errno said, exit status 2. */
__attribute__((noreturn)) void die(const char *what);

/* A record whose number alone determines its text. Return: bytes. */
size_t rotate_make_record(uint64_t n, char buf[static 2 * RECORD_MAX]);

/* Reads archives and log below a directory; says what it found. Return: 0 when each line is there
 * once, unchanged and in order; 1. */
int rotate_verify(const char *dir, uint64_t lines);
