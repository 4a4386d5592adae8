/* cmocka and what it needs to be included first. */
#ifndef SIGNET_UNIT_UNIT_H
#define SIGNET_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
