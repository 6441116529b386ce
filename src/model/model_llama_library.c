/* llama.cpp as a library: its log, its devices, and the files it opens. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <gguf.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "model/exact_device.h"
#include "model/model_llama.h"

static _Thread_local char complaint[256];
static _Thread_local double logged_buffer_mib;

/* The first complaint tells why, later ones only that. */
static void read_log(enum ggml_log_level level, const char *text, void *user)
{
    static const char size_follows[] = " buffer size = ";
    (void)user;
    const char *size = strstr(text, size_follows);
    if (size != NULL) logged_buffer_mib += strtod(size + strlen(size_follows), NULL);
    if (level != GGML_LOG_LEVEL_ERROR || complaint[0] != '\0') return;
    snprintf(complaint, sizeof complaint, "%s", text);
    complaint[strcspn(complaint, "\n")] = '\0';
}

void icl_llama_forget_log(void)
{
    complaint[0] = '\0';
    logged_buffer_mib = 0;
}

const char *icl_llama_complaint(void)
{
    return complaint;
}

double icl_llama_buffer_mib(void)
{
    return logged_buffer_mib;
}

static void start_library(void)
{
    llama_log_set(read_log, NULL);
    llama_backend_init();
    /* BLAS spends more on conversions and thread hand-overs than it gains at these sizes. */
    ggml_backend_reg_t blas = ggml_backend_reg_by_name("BLAS");
    if (blas != NULL) ggml_backend_unload(blas);
    icl_exact_device_register();
}

void icl_llama_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
}

/* The exact kernel takes fused attention. Stock fused attention rounds to f16 on the way (1e-2 nats
 * on the shipped model), so without ours the plain operations are better. */
enum llama_flash_attn_type icl_llama_attention_type(void)
{
    return icl_exact_device_register() ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                       : LLAMA_FLASH_ATTN_TYPE_DISABLED;
}

const char *icl_llama_attention_name(void)
{
    return icl_exact_device_register() ? "exact" : "stock";
}

/* ---- files ---- */

static icl_status check_magic(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return icl_error_set(ICL_EIO, "cannot open model \"%s\": %s", path, strerror(errno));
    char magic[4] = { 0 };
    const size_t got = fread(magic, 1, sizeof magic, file);
    const bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) return icl_error_set(ICL_EIO, "cannot read model \"%s\"", path);
    if (got < sizeof magic || memcmp(magic, "GGUF", 4) != 0)
        return icl_error_set(ICL_EMODEL, "\"%s\" is not a GGUF model file", path);
    return ICL_OK;
}

/* Without the exact device: K- and i-quants switch to another stock kernel at 8 rows, every other
 * type at 2. */
static size_t row_floor_of(enum ggml_type type)
{
    switch (type) {
    case GGML_TYPE_F32:
    case GGML_TYPE_F16:
    case GGML_TYPE_BF16:
    case GGML_TYPE_Q8_0:
    case GGML_TYPE_Q4_0:
    case GGML_TYPE_Q5_0:
        return 2;
    default:
        return 8;
    }
}

icl_status icl_llama_read_facts(icl_llama_facts *out, const char *path)
{
    icl_hash128 hash;
    ICL_TRY(check_magic(path));
    ICL_TRY(icl_hash_file(&hash, path));
    icl_llama_forget_log();
    struct gguf_context *gguf =
        gguf_init_from_file(path, (struct gguf_init_params){ .no_alloc = true });
    if (gguf == NULL)
        return icl_error_set(ICL_EMODEL, "\"%s\" is a damaged GGUF file (%s)", path, complaint);
    icl_llama_facts facts = { .row_floor = 2 };
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        const size_t rows = row_floor_of(gguf_get_tensor_type(gguf, i));
        if (rows > facts.row_floor) facts.row_floor = rows;
    }
    gguf_free(gguf);
    char hex[33];
    icl_hash_hex(hex, hash);
    facts.identity = icl_string_copy(hex, strlen(hex));
    if (facts.identity == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    *out = facts;
    return ICL_OK;
}

icl_status icl_llama_load(struct llama_model **out, const char *path, bool verify)
{
    struct llama_model_params params = llama_model_default_params();
    ggml_backend_dev_t no_cards[] = { NULL }; /* exact attention and products are for processors */
    params.devices = no_cards;
    params.check_tensors = verify;
    /* Repacked weights use one kernel for groups of rows and another for the rest. */
    params.use_extra_bufts = false;
    icl_llama_forget_log();
    struct llama_model *weights = llama_model_load_from_file(path, params);
    if (weights == NULL)
        return icl_error_set(ICL_EMODEL, "cannot load model \"%s\"%s%s", path,
                             complaint[0] != '\0' ? ": " : "", complaint);
    *out = weights;
    return ICL_OK;
}

/* A metadata value under the architecture's prefix as text; false when there is none. */
static bool meta_text(const struct llama_model *weights, const char *key, char *out,
                      size_t capacity)
{
    char architecture[64], name[128];
    if (llama_model_meta_val_str(weights, "general.architecture", architecture,
                                 sizeof architecture) < 0)
        return false;
    snprintf(name, sizeof name, "%s.%s", architecture, key);
    return llama_model_meta_val_str(weights, name, out, capacity) >= 0;
}

size_t icl_llama_meta_size(const struct llama_model *weights, const char *key, size_t fallback)
{
    char value[32];
    if (!meta_text(weights, key, value, sizeof value)) return fallback;
    return (size_t)strtoul(value, NULL, 10);
}

bool icl_llama_meta_exists(const struct llama_model *weights, const char *key)
{
    char value[32];
    return meta_text(weights, key, value, sizeof value);
}

struct ggml_threadpool *icl_llama_start_threads(struct llama_context *context, int thread_count)
{
    struct ggml_threadpool_params params = ggml_threadpool_params_default(thread_count);
    params.poll = 0; /* idle workers must leave their core to the attention threads */
    struct ggml_threadpool *threads = ggml_threadpool_new(&params);
    if (threads != NULL) llama_attach_threadpool(context, threads, threads);
    return threads;
}
