/* TopK and MDL beside OpenICL's own code; recipe in tests/golden/make_openicl.py. Its MDL weighs a
 * label by the mean loss over query and label together, ours by the label's own log-probability:
 * given OpenICL's numbers our search chooses what OpenICL chooses, and given the label's it chooses
 * what plain Python does, which is another subset for some queries. */
#include "fake_asker.h"
#include "select/golden_numbers.h"

enum { POOL = 12, QUERIES = 8, COLUMNS = 6, LABELS = 3 };

typedef struct world {
    float pool[POOL * COLUMNS], queries[QUERIES * COLUMNS];
    const char *pool_texts[POOL], *query_texts[QUERIES], *query_ids[QUERIES];
    size_t labels[POOL];
    icl_select_input input;
    fake_asker fake;
    const json_t *asked; /* [query] what OpenICL tried */
    bool by_loss;        /* answers are OpenICL's losses, else the labels' nats */
} world;

static void read_world(world *w, const json_t *line)
{
    static const char *const ids[QUERIES] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    read_numbers(w->pool, POOL * COLUMNS, json_object_get(line, "pool"));
    read_numbers(w->queries, QUERIES * COLUMNS, json_object_get(line, "queries"));
    for (size_t i = 0; i < POOL; i++) w->pool_texts[i] = "a text";
    for (size_t i = 0; i < POOL; i++) w->labels[i] = i % LABELS;
    for (size_t q = 0; q < QUERIES; q++) w->query_texts[q] = w->query_ids[q] = ids[q];
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = w->query_texts,
                                   .query_ids = w->query_ids,
                                   .pool_labels = w->labels,
                                   .pool_vectors = w->pool,
                                   .query_vectors = w->queries,
                                   .vector_size = COLUMNS,
                                   .task = "openicl" };
}

/* `subset` is in order of showing, as OpenICL's lists are. */
static bool is_subset(const json_t *subset, const size_t *shown, size_t count)
{
    bool same = json_array_size(subset) == count;
    for (size_t i = 0; same && i < count; i++)
        same = (size_t)json_integer_value(json_array_get(subset, i)) == shown[i];
    return same;
}

static void as_recorded(void *context, fake_answer *answer, const fake_data *data,
                        const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)data;
    (void)how;
    const world *w = context;
    const json_t *tried = json_object_get(json_array_get(w->asked, prompt->item), "tried");
    size_t i = 0;
    while (!is_subset(json_object_get(json_array_get(tried, i), "subset"), prompt->shown,
                      prompt->shown_count))
        assert_true(++i < json_array_size(tried));
    const json_t *numbers =
        json_object_get(json_array_get(tried, i), w->by_loss ? "loss" : "label_nats");
    for (size_t l = 0; l < LABELS; l++) {
        const double number = json_number_value(json_array_get(numbers, l));
        answer->label_nats[l] = w->by_loss ? -number : number;
    }
}

static void check_mdl(world *w, const json_t *line, const char *expected)
{
    char call[80];
    const size_t k = (size_t)json_integer_value(json_object_get(line, "k"));
    snprintf(call, sizeof call, "mdl(k=%zu,candidates=%d,window=300)", k,
             (int)json_integer_value(json_object_get(line, "candidates")));
    fake_asker_serve(&w->fake, &w->input, as_recorded, w);
    icl_selection selection = select_well(&w->input, call);
    for (size_t q = 0; q < QUERIES; q++) {
        size_t shown[POOL];
        for (size_t i = 0; i < k; i++) shown[i] = selection.indices[q * k + k - 1 - i];
        const json_t *chosen = json_object_get(json_array_get(w->asked, q), expected);
        if (!is_subset(chosen, shown, k)) fail_msg("%s: query %zu, %s", call, q, expected);
    }
    icl_selection_deinit(&selection);
}

static size_t count_different(const json_t *queries)
{
    size_t count = 0;
    for (size_t q = 0; q < json_array_size(queries); q++) {
        const json_t *query = json_array_get(queries, q);
        count += !json_equal(json_object_get(query, "chosen"), json_object_get(query, "by_label"));
    }
    return count;
}

static void check_topk(const world *w, const json_t *line)
{
    icl_selection selection = select_well(&w->input, "knn(k=5)");
    const json_t *rows = json_object_get(line, "rows");
    for (size_t q = 0; q < QUERIES; q++)
        assert_true(is_subset(json_array_get(rows, q), &selection.indices[q * 5], 5));
    icl_selection_deinit(&selection);
}

static void test_select_openicl__choose_the_same(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/openicl.jsonl", "r");
    assert_non_null(file);
    world w = { 0 };
    size_t lines = 0, different = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; lines++) {
        w.asked = json_object_get(line, "queries");
        if (lines == 0) {
            read_world(&w, line);
        } else if (w.asked == NULL) {
            check_topk(&w, line);
        } else {
            w.by_loss = true;
            check_mdl(&w, line, "chosen");
            w.by_loss = false;
            check_mdl(&w, line, "by_label");
            different += count_different(w.asked);
        }
        json_decref(line);
    }
    assert_int_equal(lines, 5);
    assert_int_equal(different, 11); /* of 24: the two weights are not the same method */
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_openicl__choose_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
