/* Sentence vectors of a pool, kept in files of one block of texts each: what a stopped run has made
 * is there for the next one, and a longer pool takes over the blocks of a shorter one.
 *
 * A block's file: the header below, then float[count][vector_size] in native byte order. */
#include "train/pool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

enum {
    BLOCK_TEXTS = 4096,
    CALL_TEXTS = 64, /* between two looks at `progress` */
};

typedef struct header {
    char magic[8];
    uint64_t count, vector_size;
    icl_hash128 key, vectors; /* of encoder and texts; of what follows */
} header;

static const char MAGIC[8] = "iclvec1";

/* One run of icl_pool_embed. */
typedef struct embedding {
    icl_encoder *encoder;
    const char *cache_folder; /* NULL: nothing is kept */
    icl_pool_progress progress;
    void *user;
    size_t vector_size, total;
} embedding;

/* A block of texts and where their vectors go. */
typedef struct block {
    const char *const *texts;
    float *vectors;
    size_t first, count;
    icl_hash128 key;
} block;

static icl_hash128 block_key(const embedding *run, const block *b)
{
    icl_hash_state state;
    icl_hash_begin(&state);
    const char *identity = icl_encoder_identity(run->encoder);
    icl_hash_add(&state, identity, strlen(identity) + 1);
    for (size_t i = 0; i < b->count; i++)
        icl_hash_add(&state, b->texts[i], strlen(b->texts[i]) + 1);
    return icl_hash_end(&state);
}

static icl_status block_path(icl_text *out, const embedding *run, const block *b)
{
    char name[33];
    icl_hash_hex(name, b->key);
    icl_text_printf(out, "%s/%s.vectors", run->cache_folder, name);
    return icl_text_status(out);
}

static size_t block_bytes(const embedding *run, const block *b)
{
    return b->count * run->vector_size * sizeof *b->vectors;
}

static header block_header(const embedding *run, const block *b)
{
    header h = { .count = b->count, .vector_size = run->vector_size, .key = b->key };
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.vectors = icl_hash(b->vectors, block_bytes(run, b));
    return h;
}

/* Fills the block from its file; false when there is none that is whole. */
static bool load_block(const embedding *run, const block *b, const char *path)
{
    icl_text bytes = { 0 };
    const size_t wanted = sizeof(header) + block_bytes(run, b);
    bool loaded = access(path, R_OK) == 0 && icl_file_read(&bytes, path, wanted) == ICL_OK &&
                  bytes.length == wanted;
    if (loaded) {
        memcpy(b->vectors, bytes.bytes + sizeof(header), block_bytes(run, b));
        const header h = block_header(run, b);
        loaded = memcmp(bytes.bytes, &h, sizeof h) == 0;
    }
    icl_text_deinit(&bytes);
    return loaded;
}

static icl_status save_block(const embedding *run, const block *b, const char *path)
{
    const header h = block_header(run, b);
    icl_file_draft draft = { 0 };
    ICL_TRY(icl_file_draft_open(&draft, path));
    icl_file_draft_write(&draft, &h, sizeof h);
    icl_file_draft_write(&draft, b->vectors, block_bytes(run, b));
    return icl_file_commit(&draft);
}

static icl_status make_block(const embedding *run, const block *b)
{
    for (size_t done = 0; done < b->count; done += CALL_TEXTS) {
        const size_t left = b->count - done, some = left < CALL_TEXTS ? left : CALL_TEXTS;
        if (run->progress != NULL && run->progress(run->user, b->first + done, run->total))
            return icl_error_set(ICL_ECANCELLED, "stopped after %zu of %zu sentence vectors",
                                 b->first + done, run->total);
        ICL_TRY(icl_encoder_embed(run->encoder, b->vectors + done * run->vector_size,
                                  b->texts + done, some));
    }
    return ICL_OK;
}

static icl_status fill_block(const embedding *run, block *b)
{
    if (run->cache_folder == NULL) return make_block(run, b);
    icl_text path = { 0 };
    b->key = block_key(run, b);
    icl_status status = block_path(&path, run, b);
    if (status == ICL_OK && !load_block(run, b, path.bytes)) {
        status = make_block(run, b);
        if (status == ICL_OK) status = save_block(run, b, path.bytes);
    }
    icl_text_deinit(&path);
    return status;
}

icl_status icl_pool_embed(icl_pool *pool, size_t vectors_max, icl_encoder *encoder,
                          const char *cache_folder, icl_pool_progress progress, void *user)
{
    embedding run = { .encoder = encoder,
                      .cache_folder = cache_folder,
                      .progress = progress,
                      .user = user,
                      .vector_size = icl_encoder_vector_size(encoder),
                      .total = vectors_max > 0 && vectors_max < pool->count ? vectors_max
                                                                            : pool->count };
    if (cache_folder != NULL) ICL_TRY(icl_folder_create(cache_folder));
    float *vectors = malloc(run.total * run.vector_size * sizeof *vectors);
    icl_status status = ICL_OK;
    if (vectors == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu sentence vectors", run.total);
    for (size_t first = 0; status == ICL_OK && first < run.total; first += BLOCK_TEXTS) {
        const size_t left = run.total - first;
        block b = { .texts = (const char *const *)pool->texts + first,
                    .vectors = vectors + first * run.vector_size,
                    .first = first,
                    .count = left < BLOCK_TEXTS ? left : BLOCK_TEXTS };
        status = fill_block(&run, &b);
    }
    if (status != ICL_OK) {
        free(vectors);
        return status;
    }
    if (progress != NULL) progress(user, run.total, run.total);
    free(pool->vectors);
    pool->vectors = vectors;
    pool->vector_size = run.vector_size;
    pool->vector_count = run.total;
    return ICL_OK;
}
