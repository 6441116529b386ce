/* base/cpu.h - how many cores a program may use without slowing itself down. */
#ifndef ICL_BASE_CPU_H
#define ICL_BASE_CPU_H

#include <stddef.h>

/* Physical cores this process may run on, less the ones that other programs keep busy right now;
 * at least 1. Inference threads meet at spin barriers, so one thread too many costs half the speed.
 */
int icl_cpu_free_cores(void);

size_t icl_memory_available_bytes(void); /* free plus reclaimable; 0 when unknown */

#endif
