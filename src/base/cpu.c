#define _GNU_SOURCE /* sched_getaffinity */
#include "base/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)

enum { CORES_MAX = 1024 };

/* Core id of a logical processor, or the processor's own number when the kernel does not say. */
static int core_of(int processor)
{
    char path[96];
    int core = processor, package = 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_id", processor);
    FILE *file = fopen(path, "r");
    if (file == NULL) return processor;
    const bool known = fscanf(file, "%d", &core) == 1;
    fclose(file);
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/physical_package_id",
             processor);
    file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%d", &package) != 1) package = 0;
        fclose(file);
    }
    return known ? package * CORES_MAX + core : processor;
}

static int physical_cores(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    int cores[CORES_MAX], count = 0;
    for (size_t processor = 0; processor < CPU_SETSIZE && count < CORES_MAX; processor++) {
        if (!CPU_ISSET(processor, &allowed)) continue;
        const int core = core_of((int)processor);
        bool known = false;
        for (int i = 0; i < count; i++) known |= cores[i] == core;
        if (!known) cores[count++] = core;
    }
    return count;
}

/* Threads running or waiting for a core at this moment, this one not counted. */
static int other_running_threads(void)
{
    FILE *file = fopen("/proc/loadavg", "r");
    int running = 1;
    if (file == NULL) return 0;
    if (fscanf(file, "%*f %*f %*f %d/", &running) != 1) running = 1;
    fclose(file);
    return running - 1;
}

int icl_cpu_free_cores(void)
{
    const int cores = physical_cores() - other_running_threads();
    return cores < 1 ? 1 : cores;
}

size_t icl_memory_available_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    if (file == NULL) return 0;
    char line[128];
    unsigned long kib = 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1) break;
    fclose(file);
    return (size_t)kib * 1024;
}

#else

int icl_cpu_free_cores(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : (int)cores;
}

size_t icl_memory_available_bytes(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size / 2 : 0;
}

#endif
