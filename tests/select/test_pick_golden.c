/* Picks equal those of straightforward NumPy versions of the papers' steps on a pool with equal
 * vectors; recipe in tests/golden/make_annotation.py. The made-up model is as unsure of an item as
 * the golden file says, whatever it is shown. */
#include <jansson.h>

#include "fake_asker.h"
#include "select/picks.h"

enum { ITEMS = 60, LABELS = 3 };

typedef struct world {
    float rows[ITEMS * 6];
    double uncertainty[ITEMS];
    const char *texts[ITEMS];
    size_t labels[ITEMS];
    icl_select_input input;
} world;

static void is_as_unsure_as_told(void *context, fake_answer *answer, const fake_data *data,
                                 const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    const world *w = context;
    (void)how;
    for (size_t label = 0; label < data->label_count; label++)
        answer->label_nats[label] = -w->uncertainty[prompt->item] - (double)label;
}

static void read_pool(world *w, const json_t *line)
{
    const json_t *vectors = json_object_get(line, "vectors");
    const json_t *nats = json_object_get(line, "nats");
    assert_int_equal(json_array_size(vectors), sizeof w->rows / sizeof *w->rows);
    assert_int_equal(json_array_size(nats), ITEMS);
    for (size_t i = 0; i < json_array_size(vectors); i++)
        w->rows[i] = (float)json_number_value(json_array_get(vectors, i));
    for (size_t i = 0; i < ITEMS; i++) {
        w->uncertainty[i] = json_number_value(json_array_get(nats, i));
        w->texts[i] = "a text";
        w->labels[i] = i % LABELS;
    }
    w->input = (icl_select_input){ .pool_count = ITEMS,
                                   .label_count = LABELS,
                                   .pool_texts = w->texts,
                                   .pool_labels = w->labels,
                                   .pool_vectors = w->rows,
                                   .vector_size = 6,
                                   .task = "golden",
                                   .seed = 5 };
}

static void check_line(world *w, const json_t *line)
{
    const char *call = json_string_value(json_object_get(line, "call"));
    const json_t *expected = json_object_get(line, "picks");
    const size_t budget = (size_t)json_integer_value(json_object_get(line, "budget"));
    size_t picks[ITEMS];
    fake_asker fake;
    icl_select_input input = w->input;
    fake_asker_serve(&fake, &input, is_as_unsure_as_told, w);
    pick_well(picks, budget, &input, call);
    for (size_t i = 0; i < json_array_size(expected); i++) {
        const size_t item = (size_t)json_integer_value(json_array_get(expected, i));
        if (picks[i] != item)
            fail_msg("%s: pick %zu is %zu, expected %zu", call, i, picks[i], item);
    }
}

static void test_pick_golden__picks_are_those_of_numpy(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/annotation.jsonl", "r");
    assert_non_null(file);
    world w = { 0 };
    size_t lines = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; lines++) {
        if (lines == 0)
            read_pool(&w, line);
        else
            check_line(&w, line);
        json_decref(line);
    }
    assert_int_equal(lines, 29);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pick_golden__picks_are_those_of_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
