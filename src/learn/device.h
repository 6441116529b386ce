/* learn/device.h - where training graphs run: a ggml back end and the threads that it may use.
 *
 * On the CPU, products and attention run as our own kernels inside the graph (`fused`); elsewhere,
 * and in tests that compare the two, the same operations are composed of ggml's.
 */
#ifndef ICL_LEARN_DEVICE_H
#define ICL_LEARN_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

struct ggml_backend;

typedef struct icl_device icl_device;

typedef struct icl_device_options {
    const char *name;    /* "cpu", "cuda", or NULL: the best one of this build */
    size_t thread_count; /* CPU workers; 0: free cores */
    bool composed;       /* use ggml's own operations even where we have a kernel */
} icl_device_options;

/* ICL_EUNSUPPORTED: this build or machine has no such device; the sentence names those it has. */
icl_status icl_device_open(icl_device **out, const icl_device_options *options);
void icl_device_close(icl_device *device);

const char *icl_device_name(const icl_device *device);        /* "cpu" or "cuda" */
const char *icl_device_description(const icl_device *device); /* for reports */
size_t icl_device_thread_count(const icl_device *device);
bool icl_device_fused(const icl_device *device);
struct ggml_backend *icl_device_backend(icl_device *device);
uint64_t icl_device_free_bytes(const icl_device *device); /* 0: unknown */
/* ICL_ENOMEM when so much is not free; `what` wants it. Asked before anything is allocated, since an
 * operating system promises memory that it does not have. */
icl_status icl_device_check_room(const icl_device *device, uint64_t bytes, const char *what);

#endif
