/* icl/sys/program.h - what a program around the library needs besides it: names, files, the
 * machine.
 *
 *   const char *known[] = { "run", "plan", "score" };
 *   size_t nearest = icl_program_nearest("rum", known, 3);   // 0; 3 when none is near
 */
#ifndef ICL_SYS_PROGRAM_H
#define ICL_SYS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- names and files ---- */

/** Index of the known name that a mistyped one probably means, or `count` when none is near. */
ICL_API size_t icl_program_nearest(const char *name, const char *const *names, size_t count);

/** Writes a file so that readers see its old bytes or the new ones, never a part. ICL_EIO. */
ICL_API icl_status icl_program_write_file(const char *path, const char *bytes, size_t length);

/** Creates a folder and its parents; an existing one is fine. ICL_EIO names the part that failed.
 */
ICL_API icl_status icl_program_create_folder(const char *path);

/**
 * Hash of a file's bytes, the same as icl_model_info.identity of a model file.
 * @param[out] out  [33], hexadecimal
 * @return ICL_OK; ICL_EIO: the file cannot be read
 */
ICL_API icl_status icl_program_file_identity(char *out, const char *path);

/* ---- the machine ---- */

/** Physical cores that nothing else keeps busy right now; at least 1. */
ICL_API int icl_program_free_cores(void);

/** Memory that can be had without swapping; 0 when unknown. */
ICL_API size_t icl_program_free_memory_bytes(void);

/** Vector instructions of this processor that kernels use, such as "avx2 fma avx512f"; static. */
ICL_API const char *icl_program_cpu_features(void);

/** A library this one is linked with. */
typedef struct icl_program_library {
    /** Static. */
    const char *name;
    const char *version; /**< static */
} icl_program_library;

/** Number of libraries that icl_program_library_at names. */
ICL_API size_t icl_program_library_count(void);
/** Library by index, below the count (asserted). */
ICL_API icl_program_library icl_program_library_at(size_t index);

/**
 * Floating-point operations a second of a large single-precision matrix product: the most that any
 * model can get out of this machine without lower precision.
 *
 * @param[out] out_flops_per_second
 * @param seconds_max  about so long
 * @return ICL_OK; ICL_ENOMEM
 */
ICL_API icl_status icl_program_measure_sgemm(double *out_flops_per_second, int thread_count,
                                             double seconds_max);

#ifdef __cplusplus
}
#endif
#endif
