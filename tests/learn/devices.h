/* devices.h - the devices that tests train on. */
#ifndef ICL_TESTS_LEARN_DEVICES_H
#define ICL_TESTS_LEARN_DEVICES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "learn/device.h"

static inline icl_device *cpu_device(size_t threads, bool composed)
{
    icl_device *device = NULL;
    const icl_device_options options = { .name = "cpu",
                                         .thread_count = threads,
                                         .composed = composed };
    assert_int_equal(icl_device_open(&device, &options), ICL_OK);
    return device;
}

/* NULL: this build or machine has none. */
static inline icl_device *card_device(void)
{
    icl_device *device = NULL;
    const icl_device_options options = { .name = "cuda" };
    return icl_device_open(&device, &options) == ICL_OK ? device : NULL;
}

#endif
