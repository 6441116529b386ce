#include "pipeline/domain_texts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/text.h"
#include "data/example.h"
#include "data/field.h"

static const char BLANKS[] = " \t\r\n\f\v";

/* All words of a field, in the order of the pool. */
typedef struct word_list {
    icl_text bytes;     /* the field's values with blanks between them */
    const char **words; /* [count] into bytes, each ends at a blank or the end */
    size_t count, capacity;
    size_t values; /* values they come from */
} word_list;

static void word_list_deinit(word_list *list)
{
    icl_text_deinit(&list->bytes);
    free(list->words);
}

static icl_status word_list_init(word_list *list, const icl_dataset *pool, const char *field)
{
    for (size_t i = 0; i < icl_dataset_count(pool); i++) {
        const json_t *row = icl_example_row(icl_dataset_at(pool, i));
        list->values += icl_field_append(&list->bytes, json_object_get(row, field));
        icl_text_append_char(&list->bytes, ' ');
    }
    ICL_TRY(icl_text_status(&list->bytes));
    const char *at = icl_text_string(&list->bytes);
    for (at += strspn(at, BLANKS); *at != '\0'; at += strspn(at, BLANKS)) {
        ICL_TRY(icl_array_reserve(&list->words, &list->capacity, list->count + 1));
        list->words[list->count++] = at;
        at += strcspn(at, BLANKS);
    }
    return ICL_OK;
}

static size_t average_words(const word_list *list)
{
    if (list->values == 0) return 0;
    const size_t rounded = (list->count + list->values / 2) / list->values;
    return rounded > 0 ? rounded : 1;
}

static char *draw_value(const word_list *list, size_t word_count, icl_rng *rng)
{
    icl_text value = { 0 };
    for (size_t w = 0; list->count > 0 && w < word_count; w++) {
        const char *word = list->words[icl_rng_below(rng, list->count)];
        if (w > 0) icl_text_append_char(&value, ' ');
        icl_text_append(&value, word, strcspn(word, BLANKS));
    }
    return icl_text_take(&value, NULL);
}

static icl_status draw_field(icl_domain_texts *texts, const icl_dataset *pool, const icl_task *task,
                             size_t field, size_t word_count, uint64_t seed)
{
    word_list list = { 0 };
    icl_status status = word_list_init(&list, pool, icl_task_input_field(task, field));
    if (word_count == 0) word_count = average_words(&list);
    for (size_t t = 0; status == ICL_OK && t < texts->count; t++) {
        char key[64];
        snprintf(key, sizeof key, "%zu/%zu", t, field);
        icl_rng rng =
            icl_rng_new(seed, icl_task_text(task, ICL_TASK_NAME), key, "calibrate-domain");
        char *value = draw_value(&list, word_count, &rng);
        if (value == NULL) status = icl_error_set(ICL_ENOMEM, "out of memory for random texts");
        texts->values[t * texts->field_count + field] = value;
    }
    word_list_deinit(&list);
    return status;
}

icl_status icl_domain_texts_init(icl_domain_texts *out, const icl_dataset *pool,
                                 const icl_task *task, size_t count, size_t word_count,
                                 uint64_t seed)
{
    icl_domain_texts texts = { .count = count, .field_count = icl_task_input_field_count(task) };
    texts.values = calloc(count * texts.field_count + 1, sizeof *texts.values);
    icl_status status = ICL_OK;
    if (texts.values == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu random texts", count);
    for (size_t field = 0; status == ICL_OK && field < texts.field_count; field++)
        status = draw_field(&texts, pool, task, field, word_count, seed);
    if (status != ICL_OK) {
        icl_domain_texts_deinit(&texts);
        return status;
    }
    *out = texts;
    return ICL_OK;
}

void icl_domain_texts_deinit(icl_domain_texts *texts)
{
    for (size_t i = 0; texts->values != NULL && i < texts->count * texts->field_count; i++)
        free(texts->values[i]);
    free(texts->values);
    *texts = (icl_domain_texts){ 0 };
}

const char *const *icl_domain_text(const icl_domain_texts *texts, size_t index)
{
    assert(index < texts->count);
    return (const char *const *)&texts->values[index * texts->field_count];
}
