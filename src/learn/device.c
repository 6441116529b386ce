#include "learn/device.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include "base/cpu.h"
#include "base/error.h"

struct icl_device {
    ggml_backend_t backend;
    ggml_backend_dev_t hardware;
    struct ggml_threadpool *pool; /* CPU only */
    size_t thread_count;
    bool cpu, fused;
};

/* Workers wait this long at full speed (of 100) before they sleep: graphs follow each other closely
 * in training, but other programs want the cores too. */
enum { POLL_LEVEL = 20 };

static icl_status open_cpu(icl_device *device, const icl_device_options *options)
{
    device->cpu = true;
    device->fused = !options->composed;
    device->thread_count =
        options->thread_count > 0 ? options->thread_count : (size_t)icl_cpu_free_cores();
    if (device->thread_count > GGML_MAX_N_THREADS)
        return icl_error_set(ICL_EINVAL, "threads: %zu, at most %d", device->thread_count,
                             GGML_MAX_N_THREADS);
    device->backend = ggml_backend_cpu_init();
    if (device->backend == NULL) return icl_error_set(ICL_ENOMEM, "cannot open the CPU back end");
    struct ggml_threadpool_params settings =
        ggml_threadpool_params_default((int)device->thread_count);
    settings.poll = POLL_LEVEL;
    device->pool = ggml_threadpool_new(&settings);
    if (device->pool == NULL)
        return icl_error_set(ICL_ENOMEM, "cannot start %zu threads", device->thread_count);
    ggml_backend_cpu_set_n_threads(device->backend, (int)device->thread_count);
    ggml_backend_cpu_set_threadpool(device->backend, device->pool);
    openblas_set_num_threads(1); /* the graph's own threads call it */
    return ICL_OK;
}

static _Thread_local char complaint[256];

/* A back end tells only the log, and once, why it found no card: "function: reason". */
static void keep_complaint(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level != GGML_LOG_LEVEL_ERROR) return;
    const char *reason = strstr(text, ": ");
    snprintf(complaint, sizeof complaint, " (%s", reason != NULL ? reason + 2 : text);
    const size_t length = strcspn(complaint, "\n");
    snprintf(complaint + length, sizeof complaint - length, ")");
}

static ggml_backend_dev_t find_gpu(void)
{
    ggml_backend_dev_t gpu = NULL;
    ggml_log_callback log = NULL;
    void *user = NULL;
    ggml_log_get(&log, &user);
    ggml_log_set(keep_complaint, NULL);
    for (size_t i = 0; gpu == NULL && i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t hardware = ggml_backend_dev_get(i);
        const enum ggml_backend_dev_type type = ggml_backend_dev_type(hardware);
        if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU)
            gpu = hardware;
    }
    ggml_log_set(log, user);
    return gpu;
}

static icl_status refuse(const char *name, bool has_gpu)
{
    const bool absent = strcmp(name, "cuda") == 0 && ggml_backend_reg_by_name("CUDA") == NULL;
    return icl_error_set(ICL_EUNSUPPORTED, "device \"%s\" is not available%s; there is %s", name,
                         absent ? " (this build is for the CPU; ICL_CUDA=ON makes the other)"
                                : complaint,
                         has_gpu ? "cpu and cuda" : "cpu");
}

/* Of a back end at work: what it says before it ends the program, not how it is getting on. */
static void pass_errors(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

static icl_status open_gpu(icl_device *device, ggml_backend_dev_t hardware)
{
    ggml_log_set(pass_errors, NULL);
    device->hardware = hardware;
    device->thread_count = 1;
    device->backend = ggml_backend_dev_init(hardware, NULL);
    if (device->backend == NULL)
        return icl_error_set(ICL_EUNSUPPORTED, "cannot open %s",
                             ggml_backend_dev_description(hardware));
    return ICL_OK;
}

icl_status icl_device_open(icl_device **out, const icl_device_options *options)
{
    const char *name = options->name;
    ggml_backend_dev_t gpu = find_gpu();
    if (name == NULL) name = gpu != NULL ? "cuda" : "cpu";
    if (strcmp(name, "cpu") != 0 && (strcmp(name, "cuda") != 0 || gpu == NULL))
        return refuse(name, gpu != NULL);

    icl_device *device = calloc(1, sizeof *device);
    if (device == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a device");
    const icl_status status =
        strcmp(name, "cpu") == 0 ? open_cpu(device, options) : open_gpu(device, gpu);
    if (status != ICL_OK) {
        icl_device_close(device);
        return status;
    }
    *out = device;
    return ICL_OK;
}

void icl_device_close(icl_device *device)
{
    if (device == NULL) return;
    ggml_backend_free(device->backend);
    ggml_threadpool_free(device->pool);
    free(device);
}

const char *icl_device_name(const icl_device *device)
{
    return device->cpu ? "cpu" : "cuda";
}

const char *icl_device_description(const icl_device *device)
{
    return ggml_backend_dev_description(ggml_backend_get_device(device->backend));
}

size_t icl_device_thread_count(const icl_device *device)
{
    return device->thread_count;
}

bool icl_device_fused(const icl_device *device)
{
    return device->fused;
}

struct ggml_backend *icl_device_backend(icl_device *device)
{
    return device->backend;
}

uint64_t icl_device_free_bytes(const icl_device *device)
{
    if (device->cpu) return icl_memory_available_bytes();
    size_t free_bytes = 0, total_bytes = 0;
    ggml_backend_dev_memory(device->hardware, &free_bytes, &total_bytes);
    return free_bytes;
}

icl_status icl_device_check_room(const icl_device *device, uint64_t bytes, const char *what)
{
    const uint64_t free_bytes = icl_device_free_bytes(device);
    if (free_bytes == 0 || bytes <= free_bytes) return ICL_OK;
    return icl_error_set(ICL_ENOMEM, "out of memory: %s want %.1f MB, %.1f MB are free", what,
                         (double)bytes * 1e-6, (double)free_bytes * 1e-6);
}
