#include "pipeline/text_vectors.h"

#include <stdlib.h>
#include <string.h>

#include <icl/model.h>
#include <icl/run.h>

#include "base/cancel.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "pipeline/vector_cache.h"

enum {
    TEXTS_AT_ONCE = 64, /* a fraction of a second */
    CACHE_BYTES_MAX = 1 << 30,
};

static size_t at_most_once(size_t left)
{
    return left < TEXTS_AT_ONCE ? left : TEXTS_AT_ONCE;
}

/* ---- a vector for every text ---- */

typedef struct sentence_maker {
    icl_encoder *encoder;
    icl_vector_cache *cache; /* NULL: none */
    const atomic_bool *cancelled;
} sentence_maker;

/* Builds and processors differ in last bits: only those agree that give this text one vector. */
static const char probe[] =
    "Of two builds that give this sentence the same bits we take it that they agree on all others; "
    "so it is of some length, has a comma, 3 numbers (17, 2026), quotation marks \"like these\", "
    "and words from outside English: na\u00efvet\u00e9, Stra\u00dfe, "
    "\u043f\u0440\u0438\u0432\u0435\u0442, \u4e16\u754c.";

static void add_string(icl_hash_state *state, const char *string)
{
    icl_hash_add(state, string, strlen(string) + 1);
}

static icl_status fingerprint(icl_hash128 *out, icl_encoder *encoder)
{
    const size_t size = icl_encoder_vector_size(encoder);
    const char *const texts[] = { probe };
    float *vector = malloc(size * sizeof *vector);
    if (vector == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for sentence vectors");
    const icl_status status = icl_encoder_embed(encoder, vector, texts, 1);
    if (status == ICL_OK) {
        icl_hash_state state;
        icl_hash_begin(&state);
        add_string(&state, icl_encoder_identity(encoder));
        add_string(&state, icl_encoder_build(encoder));
        icl_hash_add(&state, vector, size * sizeof *vector);
        *out = icl_hash_end(&state);
    }
    free(vector);
    return status;
}

/* NULL, too, where there is none to be had. */
static icl_vector_cache *open_cache(icl_encoder *encoder, const char *path)
{
    icl_vector_cache *cache = NULL;
    icl_vector_cache_options options = { .path = path,
                                         .vector_size = icl_encoder_vector_size(encoder),
                                         .bytes_max = CACHE_BYTES_MAX };
    if (path == NULL || fingerprint(&options.encoder, encoder) != ICL_OK) return NULL;
    return icl_vector_cache_open(&cache, &options) == ICL_OK ? cache : NULL;
}

/* Of at most TEXTS_AT_ONCE texts; each run of such that the cache lacks is one call. */
static icl_status embed_some(const sentence_maker *maker, float *out, const char *const *texts,
                             size_t count)
{
    const size_t size = icl_encoder_vector_size(maker->encoder);
    bool found[TEXTS_AT_ONCE];
    icl_vector_cache_get(maker->cache, out, found, texts, count);
    for (size_t first = 0, end; first < count; first = end + 1) {
        for (end = first; end < count && !found[end];) end++;
        if (end == first) continue;
        ICL_TRY(icl_encoder_embed(maker->encoder, out + first * size, texts + first, end - first));
        icl_vector_cache_put(maker->cache, out + first * size, texts + first, end - first);
    }
    return ICL_OK;
}

static icl_status embed_sentences(float **out, const sentence_maker *maker,
                                  const char *const *texts, size_t count)
{
    const size_t size = icl_encoder_vector_size(maker->encoder);
    float *vectors = malloc((count * size + 1) * sizeof *vectors);
    if (vectors == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu sentence vectors", count);
    icl_status status = ICL_OK;
    for (size_t first = 0; status == ICL_OK && first < count; first += TEXTS_AT_ONCE) {
        status = icl_cancel_check(maker->cancelled);
        if (status == ICL_OK)
            status = embed_some(maker, vectors + first * size, texts + first,
                                at_most_once(count - first));
    }
    if (status != ICL_OK) {
        free(vectors);
        return status;
    }
    *out = vectors;
    return ICL_OK;
}

/* ---- a vector for every token ---- */

static void token_rows_deinit(icl_token_rows *rows)
{
    free(rows->first);
    free(rows->ids);
    free(rows->vectors);
}

/* Where each text's tokens begin. */
static icl_status count_tokens(icl_token_rows *out, const icl_encoder *encoder,
                               const char *const *texts, size_t count, const atomic_bool *cancelled)
{
    out->first = malloc((count + 1) * sizeof *out->first);
    if (out->first == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu texts", count);
    out->first[0] = 0;
    for (size_t i = 0; i < count; i += TEXTS_AT_ONCE) {
        ICL_TRY(icl_cancel_check(cancelled));
        ICL_TRY(icl_encoder_count_tokens(encoder, out->first + i + 1, texts + i,
                                         at_most_once(count - i)));
    }
    for (size_t i = 0; i < count; i++) out->first[i + 1] += out->first[i];
    return ICL_OK;
}

static icl_status check_room(size_t tokens, size_t size)
{
    const size_t bytes = tokens * (size * sizeof(float) + sizeof(int32_t));
    const size_t available = icl_memory_available_bytes();
    if (available == 0 || bytes <= available) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "vectors of %zu tokens need %zu bytes, and %zu are free; take a smaller "
                         "pool, or a method that compares sentences",
                         tokens, bytes, available);
}

static icl_status embed_tokens(icl_token_rows *rows, icl_encoder *encoder, const char *const *texts,
                               size_t count, const atomic_bool *cancelled)
{
    const size_t size = icl_encoder_vector_size(encoder), tokens = rows->first[count];
    rows->ids = malloc((tokens + 1) * sizeof *rows->ids);
    rows->vectors = malloc((tokens * size + 1) * sizeof *rows->vectors);
    if (rows->ids == NULL || rows->vectors == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the vectors of %zu tokens", tokens);
    for (size_t i = 0; i < count; i += TEXTS_AT_ONCE) {
        const size_t first = rows->first[i];
        ICL_TRY(icl_cancel_check(cancelled));
        ICL_TRY(icl_encoder_embed_tokens(encoder, rows->ids + first, rows->vectors + first * size,
                                         texts + i, at_most_once(count - i)));
    }
    return ICL_OK;
}

/* ---- both ---- */

static icl_status open_encoder(icl_encoder **out, const icl_text_vectors_source *source)
{
    char *found = NULL;
    if (source->encoder_path == NULL) ICL_TRY(icl_encoder_default_path(&found));
    const icl_status status = icl_encoder_open(
        out, source->encoder_path != NULL ? source->encoder_path : found, source->thread_count);
    free(found);
    return status;
}

static icl_status make_sentences(icl_text_vectors *out, icl_encoder *encoder,
                                 const icl_text_vectors_source *source)
{
    const sentence_maker maker = { .encoder = encoder,
                                   .cache = open_cache(encoder, source->cache_path),
                                   .cancelled = source->cancelled };
    icl_status status =
        embed_sentences(&out->pool, &maker, source->pool_texts, source->pool_count);
    if (status == ICL_OK)
        status = embed_sentences(&out->queries, &maker, source->query_texts, source->query_count);
    icl_vector_cache_close(maker.cache);
    return status;
}

static icl_status make_tokens(icl_text_vectors *out, icl_encoder *encoder,
                              const icl_text_vectors_source *source)
{
    ICL_TRY(count_tokens(&out->pool_tokens, encoder, source->pool_texts, source->pool_count,
                         source->cancelled));
    ICL_TRY(count_tokens(&out->query_tokens, encoder, source->query_texts, source->query_count,
                         source->cancelled));
    ICL_TRY(check_room(out->pool_tokens.first[source->pool_count] +
                           out->query_tokens.first[source->query_count],
                       out->size));
    ICL_TRY(embed_tokens(&out->pool_tokens, encoder, source->pool_texts, source->pool_count,
                         source->cancelled));
    return embed_tokens(&out->query_tokens, encoder, source->query_texts, source->query_count,
                        source->cancelled);
}

static icl_status embed_with(void *user, float *out, const char *const *texts, size_t count)
{
    return icl_encoder_embed(user, out, texts, count);
}

static icl_status copy_identity(icl_text_vectors *out, const icl_encoder *encoder)
{
    const char *identity = icl_encoder_identity(encoder);
    out->encoder_identity = icl_string_copy(identity, strlen(identity));
    return out->encoder_identity != NULL
               ? ICL_OK
               : icl_error_set(ICL_ENOMEM, "out of memory for sentence vectors");
}

icl_status icl_text_vectors_make(icl_text_vectors *out, const icl_text_vectors_source *source,
                                 unsigned needs)
{
    icl_text_vectors vectors = { 0 };
    icl_encoder *encoder = NULL;
    if ((needs & (ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_TOKEN_VECTORS)) != 0) {
        ICL_TRY(open_encoder(&encoder, source));
        vectors.size = icl_encoder_vector_size(encoder);
    }
    icl_status status = ICL_OK;
    if (encoder != NULL) status = copy_identity(&vectors, encoder);
    if (status == ICL_OK && (needs & ICL_NEEDS_EMBEDDINGS) != 0)
        status = make_sentences(&vectors, encoder, source);
    if (status == ICL_OK && (needs & ICL_NEEDS_TOKEN_VECTORS) != 0)
        status = make_tokens(&vectors, encoder, source);
    const unsigned embeds_texts = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_GENERATION;
    if (status == ICL_OK && (needs & embeds_texts) == embeds_texts) {
        vectors.embedder = (icl_embedder){ .user = encoder, .embed = embed_with };
        vectors.encoder = encoder;
        encoder = NULL; /* moved */
    }
    icl_encoder_close(encoder);
    if (status != ICL_OK) {
        icl_text_vectors_deinit(&vectors);
        return status;
    }
    *out = vectors;
    return ICL_OK;
}

void icl_text_vectors_deinit(icl_text_vectors *vectors)
{
    icl_encoder_close(vectors->encoder);
    free(vectors->encoder_identity);
    free(vectors->pool);
    free(vectors->queries);
    token_rows_deinit(&vectors->pool_tokens);
    token_rows_deinit(&vectors->query_tokens);
    *vectors = (icl_text_vectors){ 0 };
}

static icl_token_vectors view(const icl_token_rows *rows)
{
    return (icl_token_vectors){ .first = rows->first, .ids = rows->ids, .vectors = rows->vectors };
}

void icl_text_vectors_serve(icl_select_input *input, const icl_text_vectors *vectors)
{
    input->vector_size = vectors->size;
    input->encoder_identity = vectors->encoder_identity;
    input->embedder = vectors->encoder != NULL ? &vectors->embedder : NULL;
    input->pool_vectors = vectors->pool;
    input->query_vectors = vectors->queries;
    input->pool_tokens = view(&vectors->pool_tokens);
    input->query_tokens = view(&vectors->query_tokens);
}
