/* Hazards: YAML of any shape where a mapping, text or a list was expected; label words of a command
 * line. A task that reads is whole, and its label words survive being put in their own order. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/task_parts.h"

static void check_words(const icl_verbalizer *words)
{
    icl_verbalizer *again = NULL;
    const icl_label_space *labels = icl_verbalizer_labels(words);
    const icl_status status = icl_verbalizer_align(&again, words, labels);
    assert(status == ICL_OK);
    for (size_t y = 0; y < icl_label_space_count(labels); y++) {
        assert(icl_verbalizer_word_count(again, y) == icl_verbalizer_word_count(words, y));
        assert(icl_verbalizer_word(words, y, 0)[0] != '\0');
    }
    icl_verbalizer_free(again);
}

static void check_task(const icl_task *task)
{
    for (int key = 0; key < ICL_TASK_KEY_COUNT; key++) {
        const char *text = icl_task_text(task, (icl_task_key)key);
        assert(icl_utf8_valid_length(text, strlen(text)) == strlen(text));
    }
    for (size_t i = 0; i < icl_task_input_field_count(task); i++)
        assert(icl_task_input_field(task, i)[0] != '\0');
    if (icl_task_verbalizer(task) != NULL) check_words(icl_task_verbalizer(task));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) return 0;
    if (size > 0) memcpy(text, data, size);
    text[size] = '\0';

    icl_task *task = NULL;
    if (icl_task_parse(&task, text, size, "fuzz.yaml") == ICL_OK)
        check_task(task);
    else
        assert(task == NULL && icl_error_message()[0] != '\0');
    icl_task_free(task);

    icl_verbalizer *words = NULL;
    if (icl_verbalizer_parse(&words, text) == ICL_OK) check_words(words);
    icl_verbalizer_free(words);
    free(text);
    return 0;
}
