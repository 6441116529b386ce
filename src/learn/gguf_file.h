/* learn/gguf_file.h - the head of a GGUF file, with a sentence for what is wrong with it. */
#ifndef ICL_LEARN_GGUF_FILE_H
#define ICL_LEARN_GGUF_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <icl/status.h>

struct gguf_context;

/* Values and tensor descriptions; gguf_free. ICL_EIO: cannot be read; ICL_EMODEL: no GGUF file,
 * damaged, or shorter than its tensors. */
icl_status icl_gguf_open(struct gguf_context **out, const char *path);

/* Value under a key; false, and *out as it was, when there is none of that type. */
bool icl_gguf_get_u32(uint32_t *out, const struct gguf_context *gguf, const char *key);
bool icl_gguf_get_f32(float *out, const struct gguf_context *gguf, const char *key);
bool icl_gguf_get_bool(bool *out, const struct gguf_context *gguf, const char *key);
/* Borrowed, or NULL. */
const char *icl_gguf_get_string(const struct gguf_context *gguf, const char *key);

#endif
