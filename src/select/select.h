/* select/select.h - the stage that chooses k demonstrations from the pool for every query.
 *
 *   const icl_select_method *method = NULL;
 *   icl_status status = icl_select_find(&method, "knn");
 *   ... icl_options_read(&options, &method->card, &call) ...
 *   icl_selection selection = { 0 };
 *   status = icl_select_run(&selection, method, &input, &options);
 *   ... selection.indices[query * selection.k + rank], rank 0 is the most relevant ...
 *   icl_selection_deinit(&selection);
 *
 * A method is one file select_<name>.c ending in `const icl_select_method icl_select_<name>`, and
 * one line in registry.def. The laws every method keeps are
 * tests/conformance/test_select_conformance.c.
 */
#ifndef ICL_SELECT_SELECT_H
#define ICL_SELECT_SELECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

#include "base/card.h"

struct icl_asker;
struct icl_embedder;
struct icl_fit;
struct icl_trainable;
struct icl_label_wants;

/* A vector for every token of some texts, unit length, without the encoder's special tokens. */
typedef struct icl_token_vectors {
    const size_t *first;  /* [count + 1] text i has the tokens first[i] .. first[i + 1] - 1 */
    const int32_t *ids;   /* [first[count]] in the encoder's vocabulary */
    const float *vectors; /* [first[count]][vector_size] */
} icl_token_vectors;

/* Everything is borrowed. Texts are UTF-8. */
typedef struct icl_select_input {
    size_t pool_count, query_count, label_count;
    const char *const *pool_texts;  /* [pool_count] the inputs as the data has them */
    const char *const *query_texts; /* [query_count] */
    const size_t *pool_labels;      /* [pool_count], each < label_count; NULL: unlabelled. For
                                       `pick` alone some may be ICL_LABEL_NONE */
    const size_t *query_self;       /* [query_count] pool index of the query itself, which is never
                                       chosen for it; SIZE_MAX: not in the pool. NULL: none is */
    const char *const *query_ids;   /* [query_count] keys of randomness */
    const float *pool_vectors;      /* [pool_count][vector_size]; NULL unless the card needs */
    const float *query_vectors;     /* [query_count][vector_size]   ICL_NEEDS_EMBEDDINGS */
    icl_token_vectors pool_tokens;  /* empty unless the card needs */
    icl_token_vectors query_tokens; /* ICL_NEEDS_TOKEN_VECTORS */
    size_t vector_size;
    const char *encoder_identity; /* of what made the vectors; NULL: unknown */
    const char *model_identity;   /* of what is asked; NULL: unknown */
    const char *task;             /* key of randomness */
    uint64_t seed;
    const atomic_bool *cancelled;  /* may be NULL */
    const struct icl_asker *asker; /* template/ask.h; NULL unless the card needs ICL_NEEDS_LOGPROBS
                                      or ICL_NEEDS_GENERATION */
    const struct icl_embedder *embedder;   /* select/embedder.h; NULL unless the card needs
                                              ICL_NEEDS_EMBEDDINGS and ICL_NEEDS_GENERATION */
    const struct icl_trainable *trainable; /* learn/trainable.h, for `fit`; NULL unless the card
                                              needs ICL_NEEDS_GRADIENTS */
    struct icl_label_wants *wants; /* select/annotate.h; told what `pick` needs labels of; may be
                                      NULL */
} icl_select_input;

typedef struct icl_selection {
    size_t query_count, k;
    size_t *indices; /* [query_count][k] pool indices, no repeats in a row, most relevant first */
    double *scores;  /* [query_count][k] higher = more relevant; 0 where the method does not measure
                        relevance */
} icl_selection;

typedef struct icl_select_method {
    icl_card card;
    /* Fills the zeroed buffers of `out`. Called only through icl_select_run, which has checked the
     * input; out->k > 0. Returns ICL_ECANCELLED soon after *input->cancelled turns true. NULL for a
     * method with `pick`: every query is shown the nearest of the items picked. */
    icl_status (*run)(icl_selection *out, const icl_select_input *input,
                      const icl_options *options);
    /* Corpus-level methods, else NULL: writes out [budget], the pool items most worth labelling,
     * best first, no repeats; budget <= pool_count. The queries are not looked at. A method that
     * asks the model about the rest needs labels of its first picks; icl_annotation_ask says so
     * where they are missing. */
    icl_status (*pick)(size_t *out, size_t budget, const icl_select_input *input,
                       const icl_options *options);
    /* Learned methods, else NULL: what `icl fit` does; select/fit.h. The queries are not looked at.
     */
    icl_status (*fit)(struct icl_fit *fit, const icl_select_input *input,
                      const icl_options *options);
    /* The most prompts that `fit` will ask; set where `fit` is. Looks at counts and texts alone.
     * ICL_EINVAL for options that `fit` would refuse before it asks. */
    icl_status (*fit_prompts)(size_t *out, const icl_select_input *input,
                              const icl_options *options);
    /* Tokens that `fit` reads, most of them to train on; NULL unless the card needs
     * ICL_NEEDS_GRADIENTS. What input->trainable says. */
    icl_status (*fit_tokens)(uint64_t *out, const icl_select_input *input,
                             const icl_options *options);
    /* What is chosen comes of random draws, judged or not: equal scores say nothing of the choice.
     */
    bool by_lot;
    /* Name of the TEXT option with words that stand between demonstrations and query, else NULL. */
    const char *aligner;
} icl_select_method;

/* Every method's card lists this option first. */
#define ICL_SELECT_OPTION_K                                                                        \
    {                                                                                              \
        .name = "k", .type = ICL_OPTION_INT, .fallback = "8", .minimum = 0, .maximum = 1e6,        \
        .help = "demonstrations per query; 0 shows none"                                           \
    }

/* All registered methods, and their cards in the same order; static. */
const icl_select_method *const *icl_select_methods(size_t *out_count);
const icl_card *const *icl_select_cards(size_t *out_count);

/* ICL_ENOTFOUND offers the nearest name. */
icl_status icl_select_find(const icl_select_method **out, const char *name);

/* Runs one method. ICL_EINVAL: k is larger than what the pool holds for some query, or than an
 * option "candidates" that is not the card's own; or the method needs labels or vectors that the
 * input lacks. On failure `out` is untouched. */
icl_status icl_select_run(icl_selection *out, const icl_select_method *method,
                          const icl_select_input *input, const icl_options *options);

/* Of the first `query_count` rows, those that the pool's order decided: all scores are equal and
 * the items are the pool's first, though there were others. One item alone does not tell. */
size_t icl_select_undecided(const icl_selection *selection, const icl_select_method *method,
                            const icl_select_input *input, size_t query_count);

void icl_selection_deinit(icl_selection *selection);

/* What the call wants between demonstrations and query; "" for nothing. Borrowed from `options`. */
const char *icl_select_aligner(const icl_select_method *method, const icl_options *options);

/* For methods: pool index of query `query` itself, or SIZE_MAX. */
size_t icl_select_self(const icl_select_input *input, size_t query);

#endif
