/* model/model_llama.h - what the files at the boundary to llama.cpp share: model_llama.c drives a
 * language model, model_llama_encoder.c a sentence encoder, model_llama_library.c starts the
 * library and opens files. No other file includes llama.h. */
#ifndef ICL_MODEL_MODEL_LLAMA_H
#define ICL_MODEL_MODEL_LLAMA_H

#include <stdbool.h>
#include <stddef.h>

#include <llama.h>

#include <icl/status.h>

/* ---- the library as a whole ---- */

void icl_llama_start(void); /* the first time it is called */

/* llama.cpp tells only its log why something failed, and what size the buffers of a context have.
 * Both are per thread: forgotten, and read after what was done since then. */
void icl_llama_forget_log(void);
const char *icl_llama_complaint(void); /* the first one; "" when there was none */
double icl_llama_buffer_mib(void);

enum llama_flash_attn_type icl_llama_attention_type(void);
const char *icl_llama_attention_name(void); /* for icl_model_info.build */

/* ---- files ---- */

typedef struct icl_llama_facts {
    char *identity; /* hexadecimal hash of the file's bytes; yours: free() */
    size_t row_floor;
} icl_llama_facts;

/* Checks a file, so that a wrong one gets a sentence instead of a log. ICL_EIO, ICL_EMODEL. */
icl_status icl_llama_read_facts(icl_llama_facts *out, const char *path);
/* *out is yours: llama_model_free. ICL_EMODEL. */
icl_status icl_llama_load(struct llama_model **out, const char *path, bool verify);
/* A number among the metadata under the architecture's prefix. */
size_t icl_llama_meta_size(const struct llama_model *weights, const char *key, size_t fallback);
bool icl_llama_meta_exists(const struct llama_model *weights, const char *key);

/* Threads of a context, attached to it; NULL: they cannot be started. Yours: ggml_threadpool_free.
 */
struct ggml_threadpool *icl_llama_start_threads(struct llama_context *context, int thread_count);

#endif
