/* train/pool.h - texts to make training sequences from: a data file, cut into pieces, with labels
 * where it has them and sentence vectors where a source needs them.
 *
 * A recipe names its pools:
 *   data:
 *     novels:  { file: text/text_en_novels.jsonl.zst, text: text, cut: sentences, words: 4-30 }
 *     intents: { file: clinc150/train.jsonl, text: text, label: label }
 * Files are looked for below the folder of `icl train --data DIR`, else beside the recipe. JSON
 * lines, CSV, TSV or plain text (one text); .gz and .zst are opened as they are.
 */
#ifndef ICL_TRAIN_POOL_H
#define ICL_TRAIN_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/model.h>
#include <icl/status.h>

typedef enum icl_cut { ICL_CUT_WHOLE, ICL_CUT_SENTENCES, ICL_CUT_LINES } icl_cut;

typedef struct icl_pool_options {
    const char *name;        /* in the recipe */
    const char *path;        /* resolved */
    const char *text_field;  /* "text"; several joined by a blank: "premise+hypothesis" */
    const char *label_field; /* NULL: unlabelled */
    const char *where_field, *where_value; /* keep only these items; NULL: all */
    icl_cut cut;
    size_t words_min, words_max; /* pieces outside are dropped; whole texts are cut to words_max
                                    instead. 0: no bound */
    size_t items_max;            /* 0: all; else a seeded draw without replacement */
    size_t vectors_max;          /* items that may get sentence vectors; 0: all */
    const char *terms;           /* licence, for the model card */
    uint64_t seed;
} icl_pool_options;

typedef struct icl_pool {
    char *name;
    size_t count;
    char **texts;     /* [count] valid UTF-8, in a seeded order, without repeats; runs of
                         blanks are one blank or, in ICL_CUT_WHOLE, one line end */
    char *storage;    /* backing of all texts */
    uint32_t *labels; /* [count] index into label_names; NULL: unlabelled */
    size_t label_count;
    char **label_names; /* underscores read as spaces */
    size_t vector_size;
    float *vectors; /* [vector_count][vector_size] unit length, of the first items; NULL
                       before icl_pool_embed */
    size_t vector_count;
    uint64_t bytes; /* of all texts */
} icl_pool;

/* ICL_EIO; ICL_EPARSE names file and line; ICL_ENOTFOUND: no such field, with the nearest. */
icl_status icl_pool_open(icl_pool **out, const icl_pool_options *options);
void icl_pool_close(icl_pool *pool);

/* Called between texts while vectors are made; returns true to stop. May be NULL. */
typedef bool (*icl_pool_progress)(void *user, size_t done, size_t total);
/* Sentence vectors of the first items, at most options.vectors_max. Kept in `cache_folder` (may be
 * NULL) under a name made of encoder and texts, so that the next run reads them. */
icl_status icl_pool_embed(icl_pool *pool, size_t vectors_max, icl_encoder *encoder,
                          const char *cache_folder, icl_pool_progress progress, void *user);

#endif
