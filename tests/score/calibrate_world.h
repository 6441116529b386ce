/* calibrate_world.h - made-up scores of queries, content-free inputs, random texts and validation
 * items under two sets of demonstrations. Include after cmocka.h. */
#ifndef ICL_TESTS_CALIBRATE_WORLD_H
#define ICL_TESTS_CALIBRATE_WORLD_H

#include "base/rng.h"
#include "score/calibrate_call.h"

enum { QUERIES = 24, ITEMS = 60, LABELS = 4, GROUPS = 2, TEXTS = 5, INPUTS = 3 };

typedef struct world {
    double scores[QUERIES * LABELS], validation[ITEMS * LABELS];
    double domain[GROUPS * TEXTS * LABELS], content_free[GROUPS * INPUTS * LABELS];
    size_t groups[QUERIES], validation_groups[ITEMS], gold[ITEMS], counts[LABELS];
    icl_calibrate_input input;
} world;

static inline void fill_logs(double *out, size_t count, icl_rng *rng)
{
    for (size_t i = 0; i < count; i++) out[i] = log((icl_rng_unit(rng) + 0.01) / LABELS);
}

static inline void fill(world *w)
{
    static const char *const names[LABELS] = { "joy", "anger", "fear", "calm" };
    icl_rng rng = icl_rng_new(9, "calibrate", "", "test");
    fill_logs(w->scores, QUERIES * LABELS, &rng);
    fill_logs(w->validation, ITEMS * LABELS, &rng);
    fill_logs(w->domain, GROUPS * TEXTS * LABELS, &rng);
    fill_logs(w->content_free, GROUPS * INPUTS * LABELS, &rng);
    for (size_t q = 0; q < QUERIES; q++) w->groups[q] = q % GROUPS;
    for (size_t i = 0; i < ITEMS; i++) {
        w->validation_groups[i] = i / 3 % GROUPS;
        w->gold[i] = i % LABELS;
        w->validation[i * LABELS + w->gold[i]] += i % 3 == 0 ? 0 : 1;
    }
    for (size_t y = 0; y < LABELS; y++) w->counts[y] = 10 * y;
    w->input = (icl_calibrate_input){ .query_count = QUERIES,
                                      .label_count = LABELS,
                                      .logprob_nats = w->scores,
                                      .group_count = GROUPS,
                                      .groups = w->groups,
                                      .content_free_count = INPUTS,
                                      .content_free_nats = w->content_free,
                                      .domain_count = TEXTS,
                                      .domain_nats = w->domain,
                                      .validation_count = ITEMS,
                                      .validation_nats = w->validation,
                                      .validation_labels = w->gold,
                                      .validation_groups = w->validation_groups,
                                      .label_counts = w->counts,
                                      .label_names = names,
                                      .task = "test",
                                      .seed = 3 };
}

#endif
