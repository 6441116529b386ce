#include <stdlib.h>
#include <string.h>

#include <gguf.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/quote.h"
#include "learn/bpe_model.h"
#include "learn/gguf_file.h"

/* Token types of llama.cpp that we know. */
enum { TYPE_NORMAL = 1, TYPE_CONTROL = 3, TYPE_UNUSED = 5 };

/* ---- reading ---- */

/* Index of an array of these, or -1. */
static int64_t find_array(const struct gguf_context *gguf, const char *key, enum gguf_type type)
{
    const int64_t index = gguf_find_key(gguf, key);
    const bool fits = index >= 0 && gguf_get_kv_type(gguf, index) == GGUF_TYPE_ARRAY &&
                      gguf_get_arr_type(gguf, index) == type;
    return fits ? index : -1;
}

static icl_status check_kind(const struct gguf_context *gguf, const char *path)
{
    char shown[ICL_QUOTE_BYTES];
    static const struct {
        const char *key, *expected;
    } wanted[] = { { "tokenizer.ggml.model", "gpt2" }, { "tokenizer.ggml.pre", "gpt-2" } };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const char *value = icl_gguf_get_string(gguf, wanted[i].key);
        if (value == NULL)
            return icl_error_set(ICL_EUNSUPPORTED, "\"%s\" carries no %s", path, wanted[i].key);
        if (strcmp(value, wanted[i].expected) != 0)
            return icl_error_set(ICL_EUNSUPPORTED, "\"%s\": %s is %s; only \"%s\" can be used",
                                 path, wanted[i].key, icl_quote(shown, value, strlen(value)),
                                 wanted[i].expected);
    }
    return ICL_OK;
}

static icl_status read_tokens(icl_bpe *bpe, const struct gguf_context *gguf)
{
    const int64_t tokens = find_array(gguf, "tokenizer.ggml.tokens", GGUF_TYPE_STRING);
    const int64_t types = find_array(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32);
    if (tokens < 0) return icl_error_set(ICL_EPARSE, "there are no tokens");
    const size_t count = gguf_get_arr_n(gguf, tokens);
    if (types >= 0 && gguf_get_arr_n(gguf, types) != count)
        return icl_error_set(ICL_EPARSE, "%zu tokens have %zu types", count,
                             gguf_get_arr_n(gguf, types));
    const int32_t *type_of = types < 0 ? NULL : gguf_get_arr_data(gguf, types);
    for (size_t i = 0; i < count; i++) {
        const int32_t type = type_of == NULL ? TYPE_NORMAL : type_of[i];
        if (type != TYPE_NORMAL && type != TYPE_CONTROL && type != TYPE_UNUSED)
            return icl_error_set(ICL_EUNSUPPORTED, "token %zu is of type %d", i, (int)type);
        const char *spelling = gguf_get_arr_str(gguf, tokens, i);
        ICL_TRY(icl_bpe_add_token(bpe, spelling, strlen(spelling), type != TYPE_NORMAL));
    }
    return ICL_OK;
}

static icl_status read_merge(icl_bpe *bpe, size_t index, const char *text, icl_text *scratch)
{
    char shown[ICL_QUOTE_BYTES];
    const char *space = text[0] == '\0' ? NULL : strchr(text + 1, ' ');
    size_t left = SIZE_MAX, right = SIZE_MAX;
    if (space != NULL) {
        left = icl_word_table_find(&bpe->spellings, text, (size_t)(space - text));
        right = icl_word_table_find(&bpe->spellings, space + 1, strlen(space + 1));
    }
    if (left != SIZE_MAX && right != SIZE_MAX) {
        const icl_pair pair = { (int32_t)left, (int32_t)right };
        const int32_t merged = icl_bpe_joined(bpe, pair, scratch);
        ICL_TRY(icl_text_status(scratch));
        if (merged >= 0) return icl_bpe_add_merge(bpe, pair, merged);
    }
    return icl_error_set(ICL_EPARSE, "merge %zu, %s, does not join two tokens to a third", index,
                         icl_quote(shown, text, strlen(text)));
}

static icl_status read_merges(icl_bpe *bpe, const struct gguf_context *gguf)
{
    const int64_t merges = find_array(gguf, "tokenizer.ggml.merges", GGUF_TYPE_STRING);
    if (merges < 0) return icl_error_set(ICL_EPARSE, "there are no merges");
    icl_text scratch = { 0 };
    icl_status status = ICL_OK;
    const size_t count = gguf_get_arr_n(gguf, merges);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        status = read_merge(bpe, i, gguf_get_arr_str(gguf, merges, i), &scratch);
    icl_text_deinit(&scratch);
    return status;
}

static icl_status read_ids(icl_bpe *bpe, const struct gguf_context *gguf)
{
    uint32_t bos = UINT32_MAX, eos = UINT32_MAX, padding = UINT32_MAX;
    const bool has_bos = icl_gguf_get_u32(&bos, gguf, "tokenizer.ggml.bos_token_id");
    const bool has_eos = icl_gguf_get_u32(&eos, gguf, "tokenizer.ggml.eos_token_id");
    if (has_bos && has_eos && bos != eos)
        return icl_error_set(ICL_EUNSUPPORTED, "BOS (%u) and EOS (%u) are different tokens", bos,
                             eos);
    const uint32_t end = has_eos ? eos : bos;
    if (end >= bpe->spellings.count)
        return icl_error_set(ICL_EPARSE, "no token of the vocabulary is BOS or EOS");
    bpe->end_of_text = (int32_t)end;
    if (icl_gguf_get_u32(&padding, gguf, "tokenizer.ggml.padding_token_id") &&
        padding < bpe->spellings.count)
        bpe->padding = (int32_t)padding;
    bpe->adds_bos = false; /* what llama.cpp takes when a file does not say */
    icl_gguf_get_bool(&bpe->adds_bos, gguf, "tokenizer.ggml.add_bos_token");
    return ICL_OK;
}

icl_status icl_bpe_open_gguf(icl_bpe **out, const char *path)
{
    struct gguf_context *gguf = NULL;
    icl_bpe *bpe = NULL;
    icl_status status = icl_gguf_open(&gguf, path);
    if (status != ICL_OK) return status;
    status = check_kind(gguf, path);
    if (status != ICL_OK) goto cleanup;
    status = icl_bpe_new(&bpe);
    if (status != ICL_OK) goto cleanup;
    status = read_tokens(bpe, gguf);
    if (status == ICL_OK) status = read_merges(bpe, gguf);
    if (status == ICL_OK) status = read_ids(bpe, gguf);
    if (status == ICL_OK) status = icl_bpe_finish(bpe);
    if (status != ICL_OK) {
        icl_error_prefix(status, "the tokenizer of \"%s\"", path);
        goto cleanup;
    }
    *out = bpe;
    bpe = NULL;

cleanup:
    icl_bpe_free(bpe);
    gguf_free(gguf);
    return status;
}

/* ---- writing ---- */

static icl_status set_tokens(struct gguf_context *gguf, const icl_bpe *bpe, icl_arena *arena)
{
    const size_t count = bpe->spellings.count;
    const char **spellings = icl_arena_alloc(arena, count * sizeof *spellings);
    int32_t *types = icl_arena_alloc(arena, count * sizeof *types);
    if (spellings == NULL || types == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu tokens", count);
    for (size_t i = 0; i < count; i++) {
        spellings[i] = icl_word_table_at(&bpe->spellings, i, NULL);
        types[i] = bpe->special[i] ? TYPE_CONTROL : TYPE_NORMAL;
    }
    gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", spellings, count);
    gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types, count);
    return ICL_OK;
}

/* "left right" in the arena; NULL: out of memory. */
static const char *merge_text(const icl_bpe *bpe, icl_pair pair, icl_arena *arena)
{
    size_t left_length = 0, right_length = 0;
    const char *left = icl_word_table_at(&bpe->spellings, (size_t)pair.left, &left_length);
    const char *right = icl_word_table_at(&bpe->spellings, (size_t)pair.right, &right_length);
    char *text = icl_arena_alloc(arena, left_length + right_length + 2);
    if (text == NULL) return NULL;
    memcpy(text, left, left_length);
    text[left_length] = ' ';
    memcpy(text + left_length + 1, right, right_length + 1);
    return text;
}

static icl_status set_merges(struct gguf_context *gguf, const icl_bpe *bpe, icl_arena *arena)
{
    const char **texts = icl_arena_alloc(arena, (bpe->merge_count + 1) * sizeof *texts);
    bool complete = texts != NULL;
    for (size_t i = 0; complete && i < bpe->merge_count; i++) {
        texts[i] = merge_text(bpe, bpe->merges[i], arena);
        complete = texts[i] != NULL;
    }
    if (!complete)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu merges", bpe->merge_count);
    gguf_set_arr_str(gguf, "tokenizer.ggml.merges", texts, bpe->merge_count);
    return ICL_OK;
}

icl_status icl_bpe_to_gguf(struct gguf_context *gguf, const icl_bpe *bpe)
{
    icl_arena arena = { 0 };
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "gpt2");
    gguf_set_val_str(gguf, "tokenizer.ggml.pre", "gpt-2");
    icl_status status = set_tokens(gguf, bpe, &arena);
    if (status == ICL_OK) status = set_merges(gguf, bpe, &arena);
    if (status == ICL_OK && bpe->end_of_text >= 0) {
        gguf_set_val_u32(gguf, "tokenizer.ggml.bos_token_id", (uint32_t)bpe->end_of_text);
        gguf_set_val_u32(gguf, "tokenizer.ggml.eos_token_id", (uint32_t)bpe->end_of_text);
    }
    if (status == ICL_OK && bpe->padding >= 0)
        gguf_set_val_u32(gguf, "tokenizer.ggml.padding_token_id", (uint32_t)bpe->padding);
    gguf_set_val_bool(gguf, "tokenizer.ggml.add_bos_token", bpe->adds_bos && bpe->end_of_text >= 0);
    gguf_set_val_bool(gguf, "tokenizer.ggml.add_eos_token", false);
    icl_arena_deinit(&arena);
    return status;
}
