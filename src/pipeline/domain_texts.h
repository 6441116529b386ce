/* pipeline/domain_texts.h - random texts of a task's own words: they belong to its domain and mean
 * nothing.
 *
 *   icl_domain_texts texts = { 0 };
 *   status = icl_domain_texts_init(&texts, pool, task, 20, 0, seed);
 *   ... icl_domain_text(&texts, t)[field] ...
 *   icl_domain_texts_deinit(&texts);
 */
#ifndef ICL_PIPELINE_DOMAIN_TEXTS_H
#define ICL_PIPELINE_DOMAIN_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include <icl/dataset.h>
#include <icl/task.h>

typedef struct icl_domain_texts {
    size_t count, field_count;
    char **values; /* [count][field_count] */
} icl_domain_texts;

/* `count` texts, each with a value for every input field of the task: `word_count` words drawn with
 * replacement from all words that the pool has in that field, each place equally likely. Words are
 * what stands between blanks. word_count 0: as many as the field's values have on average, rounded,
 * at least 1; the value of a field without words is "". A draw depends on seed, task and the number
 * of the text. ICL_ENOMEM. *out is yours: icl_domain_texts_deinit. */
icl_status icl_domain_texts_init(icl_domain_texts *out, const icl_dataset *pool,
                                 const icl_task *task, size_t count, size_t word_count,
                                 uint64_t seed);
void icl_domain_texts_deinit(icl_domain_texts *texts);

/* The values of a text's fields, [field_count]. Borrowed. */
const char *const *icl_domain_text(const icl_domain_texts *texts, size_t index);

#endif
