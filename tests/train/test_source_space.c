/* Sources whose classes are made in the encoder's space, checked against all classes that there
 * could be. */
#include "train/parsed_episode.h"

static double nearness(const source_world *w, size_t a, size_t b)
{
    double sum = 0;
    for (size_t d = 0; d < WORLD_COLUMNS; d++)
        sum +=
            (double)w->vectors[a * WORLD_COLUMNS + d] * (double)w->vectors[b * WORLD_COLUMNS + d];
    return sum;
}

/* Whether the items of one label all point more to item a and the others more to item b. */
static bool anchors_explain(const source_world *w, const parsed_episode *parsed, size_t a, size_t b)
{
    for (size_t i = 0; i < parsed->count; i++) {
        const bool first = strcmp(parsed->labels[i], parsed->labels[0]) == 0;
        const double ahead = nearness(w, parsed->items[i], a) - nearness(w, parsed->items[i], b);
        if (first ? ahead < -1e-6 : ahead > 1e-6) return false;
    }
    return true;
}

static bool some_anchors_explain(const source_world *w, const parsed_episode *parsed)
{
    for (size_t a = 0; a < WORLD_ITEMS; a++)
        for (size_t b = 0; b < WORLD_ITEMS; b++)
            if (a != b && anchors_explain(w, parsed, a, b)) return true;
    return false;
}

static void test_source_directions__two_anchors_explain_the_labels(void **state)
{
    const source_world *w = *state;
    icl_source *source =
        open_source(&w->world, "directions(data=intents,classes=2,shots=10,labels=words)");
    icl_sequence sequence = { 0 };
    for (size_t draw = 0; draw < 40; draw++) {
        draw_well(source, &sequence, draw);
        parsed_episode parsed = parse_episode(w, &sequence);
        assert_true(some_anchors_explain(w, &parsed));
        free_parsed(&parsed);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

/* Along some difference of two items one label lies above the other, with a gap between. */
static bool some_direction_parts(const source_world *w, const parsed_episode *parsed)
{
    for (size_t a = 0; a < WORLD_ITEMS; a++) {
        for (size_t b = 0; b < WORLD_ITEMS; b++) {
            double lowest = 9, highest = -9; /* of the first label, of the other */
            for (size_t i = 0; i < parsed->count; i++) {
                const double at =
                    nearness(w, parsed->items[i], a) - nearness(w, parsed->items[i], b);
                if (strcmp(parsed->labels[i], parsed->labels[0]) == 0)
                    lowest = at < lowest ? at : lowest;
                else
                    highest = at > highest ? at : highest;
            }
            if (a != b && lowest > highest) return true;
        }
    }
    return false;
}

static void test_source_directions__a_projection_parts_two_labels(void **state)
{
    const source_world *w = *state;
    icl_source *source = open_source(
        &w->world, "directions(data=intents,classes=4,shots=10,form=projection,labels=symbols)");
    icl_sequence sequence = { 0 };
    for (size_t draw = 0; draw < 40; draw++) {
        draw_well(source, &sequence, draw);
        parsed_episode parsed = parse_episode(w, &sequence);
        assert_true(some_direction_parts(w, &parsed));
        free_parsed(&parsed);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

/* Whether all items of label `label` are among the `reach` items nearest to `anchor`. */
static bool is_neighbourhood(const source_world *w, const parsed_episode *parsed, const char *label,
                             size_t anchor, size_t reach)
{
    for (size_t i = 0; i < parsed->count; i++) {
        if (strcmp(parsed->labels[i], label) != 0) continue;
        size_t nearer = 0;
        const double near = nearness(w, anchor, parsed->items[i]);
        for (size_t item = 0; item < WORLD_ITEMS; item++)
            nearer += nearness(w, anchor, item) > near + 1e-6;
        if (nearer >= reach) return false;
    }
    return true;
}

static void test_source_neighbours__every_class_is_a_neighbourhood(void **state)
{
    const source_world *w = *state;
    icl_source *source =
        open_source(&w->world, "neighbours(data=intents,classes=3,shots=9,reach=12)");
    icl_sequence sequence = { 0 };
    for (size_t draw = 0; draw < 20; draw++) {
        draw_well(source, &sequence, draw);
        parsed_episode parsed = parse_episode(w, &sequence);
        for (size_t i = 0; i < parsed.count; i++) {
            size_t anchor = 0;
            while (anchor < WORLD_ITEMS &&
                   !is_neighbourhood(w, &parsed, parsed.labels[i], anchor, 12))
                anchor++;
            assert_true(anchor < WORLD_ITEMS);
        }
        free_parsed(&parsed);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

enum { REACH = 100 };

/* Whether the items of the first label are in reach of item a, the others of b, and none in reach
 * of both is nearer to the other one. */
static bool anchors_share(const source_world *w, const parsed_episode *parsed, const double *border,
                          size_t a, size_t b)
{
    for (size_t i = 0; i < parsed->count; i++) {
        const bool first = strcmp(parsed->labels[i], parsed->labels[0]) == 0;
        const size_t own = first ? a : b, other = first ? b : a;
        const double near = nearness(w, parsed->items[i], own);
        const double away = nearness(w, parsed->items[i], other);
        if (near < border[own] - 1e-6) return false;
        if (away >= border[other] + 1e-6 && away > near + 1e-6) return false;
    }
    return true;
}

static int descending(const void *a, const void *b)
{
    const double one = *(const double *)a, other = *(const double *)b;
    return (one < other) - (one > other);
}

static void test_source_neighbours__an_item_near_two_anchors_is_of_the_nearer(void **state)
{
    const source_world *w = *state;
    double border[WORLD_ITEMS], near[WORLD_ITEMS]; /* nearness of the last item in reach */
    for (size_t anchor = 0; anchor < WORLD_ITEMS; anchor++) {
        for (size_t item = 0; item < WORLD_ITEMS; item++) near[item] = nearness(w, anchor, item);
        qsort(near, WORLD_ITEMS, sizeof *near, descending);
        border[anchor] = near[REACH - 1];
    }
    icl_source *source =
        open_source(&w->world, "neighbours(data=intents,classes=2,shots=15,reach=100)");
    icl_sequence sequence = { 0 };
    for (size_t draw = 0; draw < 40; draw++) {
        draw_well(source, &sequence, draw);
        parsed_episode parsed = parse_episode(w, &sequence);
        bool shared = false;
        for (size_t pair = 0; pair < WORLD_ITEMS * WORLD_ITEMS && !shared; pair++)
            shared = anchors_share(w, &parsed, border, pair / WORLD_ITEMS, pair % WORLD_ITEMS);
        assert_true(shared);
        free_parsed(&parsed);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

/* Every episode labels anew: an item has no label of its own. */
static void test_source_space__an_items_label_changes_from_episode_to_episode(void **state)
{
    const source_world *w = *state;
    static const char *const calls[] = { "directions(data=intents,classes=2)",
                                         "neighbours(data=intents,classes=2,reach=20)" };
    icl_source_world world = w->world;
    world.label_word_count = 2;
    for (size_t c = 0; c < 2; c++) {
        icl_source *source = open_source(&world, calls[c]);
        icl_sequence sequence = { 0 };
        size_t counts[WORLD_ITEMS][2] = { 0 };
        for (size_t draw = 0; draw < 2000; draw++) {
            draw_well(source, &sequence, draw);
            parsed_episode parsed = parse_episode(w, &sequence);
            for (size_t i = 0; i < parsed.count; i++)
                counts[parsed.items[i]][strcmp(parsed.labels[i], world_words[0]) == 0]++;
            free_parsed(&parsed);
        }
        for (size_t item = 0; item < WORLD_ITEMS; item++) {
            const double all = (double)(counts[item][0] + counts[item][1]);
            assert_true(all > 5);
            assert_true(fabs((double)counts[item][0] / all - 0.5) < 2.5 / sqrt(all));
        }
        icl_sequence_deinit(&sequence);
        icl_source_close(source);
    }
}

static void assert_refused(const icl_source_world *world, const char *call, const char *sentence)
{
    icl_source *source = NULL;
    assert_int_equal(icl_source_open(&source, call, world), ICL_EINVAL);
    assert_string_equal(icl_error_message(), sentence);
}

static void test_source_space__what_it_lacks_is_one_sentence(void **state)
{
    const source_world *w = *state;
    assert_refused(&w->world, "directions(data=stories)",
                   "source directions: pool \"stories\" has no sentence vectors");
    assert_refused(&w->world, "neighbours(data=stories)",
                   "source neighbours: pool \"stories\" has no sentence vectors");
    assert_refused(&w->world, "directions(data=intents,labels=names)",
                   "option labels of directions: its classes have no names");
    assert_refused(&w->world, "directions(data=intents,labels=words,classes=10)",
                   "option labels of directions: 10 classes need as many words that begin with "
                   "different tokens, but the recipe's 9 label words give 9");
    assert_refused(&w->world, "neighbours(data=intents,classes=9,reach=30)",
                   "source neighbours: pool \"intents\" has 240 sentence vectors, too few: this "
                   "many classes need 270");
    assert_refused(&w->world, "neighbours(data=intents,classes=8,reach=30,sample=100)",
                   "option sample of neighbours: 100 items are fewer than 8 classes of 30");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_directions__two_anchors_explain_the_labels),
        cmocka_unit_test(test_source_directions__a_projection_parts_two_labels),
        cmocka_unit_test(test_source_neighbours__every_class_is_a_neighbourhood),
        cmocka_unit_test(test_source_neighbours__an_item_near_two_anchors_is_of_the_nearer),
        cmocka_unit_test(test_source_space__an_items_label_changes_from_episode_to_episode),
        cmocka_unit_test(test_source_space__what_it_lacks_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, source_world_setup, source_world_teardown);
}
