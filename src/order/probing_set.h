/* order/probing_set.h - the inputs on which all orders of a set of demonstrations are compared,
 * none with a label: items of the pool, or texts that the model itself writes after the
 * demonstrations (Lu et al. 2022).
 *
 *   icl_probing_set probes = { 0 };
 *   ICL_TRY(icl_probing_set_write(&probes, input, &tried, group, options));
 *   if (probes.count == 0) ICL_TRY(icl_probing_set_from_pool(&probes, &pool, group));
 *   ICL_TRY(icl_probing_set_ask(rows, &probes, &tried, group, input, method_name));
 *   icl_probing_set_deinit(&probes);
 */
#ifndef ICL_ORDER_PROBING_SET_H
#define ICL_ORDER_PROBING_SET_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "order/candidate_orders.h"
#include "order/order.h"
#include "order/pool_probes.h"

typedef struct icl_probing_set {
    size_t count;
    icl_ask_prompt *inputs; /* [count] no demonstrations, the input alone */
    char **texts;           /* [text_count] what inputs borrow; none of the pool's */
    size_t text_count;
} icl_probing_set;

/* Each makes *out anew: icl_probing_set_deinit. ICL_ENOMEM. */

/* The group's pool items. */
icl_status icl_probing_set_from_pool(icl_probing_set *out, const icl_pool_probes *pool,
                                     size_t group);

/* Every order of the group goes on after the template's opening text, drawn with the options of
 * ICL_PROBING_OPTIONS, once without repeated triples of tokens and once without repeated runs of
 * five, words of the template excepted, until the text is complete. Of a text counts what stands
 * before the template's closing text and the answer, so no label: its fields, without control
 * characters, each of `words_min` words or more; others, and texts that were written before, are
 * dropped, so that the set may be empty. Of more than `inputs` texts the first count.
 *
 * One call for each draw, with a seed of its own for the group: what is drawn depends on the place
 * in a call. */
icl_status icl_probing_set_write(icl_probing_set *out, const icl_order_input *input,
                                 const icl_candidate_orders *tried, size_t group,
                                 const icl_options *options);
void icl_probing_set_deinit(icl_probing_set *probes);

/* rows [tried->count][probes->count][label_count]: the label distributions of all probes after all
 * orders of the group. One call. As icl_ask_labels. */
icl_status icl_probing_set_ask(double *rows, const icl_probing_set *probes,
                               const icl_candidate_orders *tried, size_t group,
                               const icl_order_input *input, const char *method);

/* Whether the option `probes` wants texts of the model. */
bool icl_probing_set_is_written(const icl_options *options);

extern const char *const icl_probing_kinds[];

#define ICL_PROBING_OPTIONS                                                                        \
    { .name = "probes",                                                                            \
      .type = ICL_OPTION_CHOICE,                                                                   \
      .fallback = "written",                                                                       \
      .choices = icl_probing_kinds,                                                                \
      .help = "inputs that orders are compared on: texts that the model writes after the "         \
              "demonstrations, which takes a model of texts and a call of it for every token, or " \
              "pool inputs outside the demonstrations" },                                          \
        { .name = "inputs",                                                                        \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "64",                                                                        \
          .minimum = 1,                                                                            \
          .maximum = 1e6,                                                                          \
          .help =                                                                                  \
              "of them at most; where the model writes none that is usable, pool inputs serve" },  \
        { .name = "samples",                                                                       \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "1",                                                                         \
          .minimum = 1,                                                                            \
          .maximum = 1e4,                                                                          \
          .help = "texts drawn after each order, twice: without repeated 3 tokens, without 5" },   \
        { .name = "temperature",                                                                   \
          .type = ICL_OPTION_REAL,                                                                 \
          .fallback = "2",                                                                         \
          .minimum = 0.01,                                                                         \
          .maximum = 100,                                                                          \
          .help = "of the draws" },                                                                \
        { .name = "top_k",                                                                         \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "20",                                                                        \
          .minimum = 0,                                                                            \
          .maximum = 1e6,                                                                          \
          .help = "tokens that a draw may take; 0: all" },                                         \
        { .name = "tokens",                                                                        \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "128",                                                                       \
          .minimum = 1,                                                                            \
          .maximum = 1e5,                                                                          \
          .help = "of a text at most" },                                                           \
    {                                                                                              \
        .name = "words_min", .type = ICL_OPTION_INT, .fallback = "5", .minimum = 1,                \
        .maximum = 1e4, .help = "of every field of a text"                                         \
    }

#endif
