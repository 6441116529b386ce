/* Picking in rounds: what the model is shown and asked, and what is made of its answers. */
#include <stdio.h>

#include <icl/dataset.h>

#include "fake_asker.h"
#include "math/matrix.h"
#include "near.h"
#include "select/annotate.h"
#include "select/picks.h"

enum { POOL = 24, LABELS = 3, COLUMNS = 2, ASKED_MAX = 400 };

/* Items stand on a circle, one at each angle, in no order; the model is unsure of late letters. */
typedef struct world {
    char texts[POOL][2];
    const char *pool_texts[POOL];
    size_t labels[POOL];
    float vectors[POOL * COLUMNS];
    icl_select_input input;
    size_t asked_items[ASKED_MAX], asked_shown[ASKED_MAX][3], asked_counts[ASKED_MAX], asked;
} world;

static void note(void *context, fake_answer *answer, const fake_data *data,
                 const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    world *w = context;
    (void)how;
    assert_true(w->asked < ASKED_MAX && prompt->of == ICL_ASK_POOL && prompt->shown_count <= 3);
    w->asked_items[w->asked] = prompt->item;
    w->asked_counts[w->asked] = prompt->shown_count;
    for (size_t i = 0; i < prompt->shown_count; i++) w->asked_shown[w->asked][i] = prompt->shown[i];
    w->asked++;
    for (size_t label = 0; label < data->label_count; label++)
        answer->label_nats[label] = label == 1 ? -(double)prompt->item / 10 : -9;
}

static void fill(world *w)
{
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < POOL; i++) {
        const double angle = (double)(i * 7 % POOL) * 0.2;
        w->vectors[i * COLUMNS] = (float)cos(angle);
        w->vectors[i * COLUMNS + 1] = (float)sin(angle);
        w->texts[i][0] = (char)('a' + i);
        w->pool_texts[i] = w->texts[i];
        w->labels[i] = i % LABELS;
    }
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .pool_labels = w->labels,
                                   .pool_vectors = w->vectors,
                                   .vector_size = COLUMNS,
                                   .task = "annotate",
                                   .seed = 2 };
}

static double cosine(const world *w, size_t a, size_t b)
{
    return icl_vector_dot(&w->vectors[a * COLUMNS], &w->vectors[b * COLUMNS], COLUMNS);
}

static void test_annotate__least_confidence_asks_in_batches(void **state)
{
    (void)state;
    world w;
    fake_asker fake;
    size_t picks[11];
    fill(&w);
    fake_asker_serve(&fake, &w.input, note, &w);
    pick_well(picks, 11, &w.input, "least-confidence(k=3, batch=4)");
    assert_int_equal(fake.calls, 2); /* 4 at random, 4, 3 */
    assert_int_equal(fake.prompts, (POOL - 4) + (POOL - 8));
    /* The model finds its likeliest label, 1, the less likely the higher the item. */
    bool first[POOL] = { false };
    for (size_t i = 0; i < 4; i++) first[picks[i]] = true;
    size_t item = POOL;
    for (size_t i = 4; i < 11; i++) {
        while (first[--item]) continue;
        assert_int_equal(picks[i], item);
    }
}

static void test_annotate__an_item_is_shown_the_nearest_picks_nearest_last(void **state)
{
    (void)state;
    world w;
    fake_asker fake;
    size_t picks[8];
    fill(&w);
    fake_asker_serve(&fake, &w.input, note, &w);
    pick_well(picks, 8, &w.input, "least-confidence(k=3, batch=4)");
    for (size_t a = 0; a < w.asked; a++) {
        const size_t item = w.asked_items[a], *shown = w.asked_shown[a];
        assert_int_equal(w.asked_counts[a], 3);
        for (size_t i = 1; i < 3; i++)
            assert_true(cosine(&w, item, shown[i]) > cosine(&w, item, shown[i - 1]) - 1e-6);
        for (size_t p = 0; p < 4; p++) {
            assert_true(picks[p] != item);
            const bool was_shown =
                picks[p] == shown[0] || picks[p] == shown[1] || picks[p] == shown[2];
            if (!was_shown)
                assert_true(cosine(&w, item, picks[p]) < cosine(&w, item, shown[0]) + 1e-6);
        }
    }
}

static void test_annotate__fewer_picks_than_k_are_all_shown(void **state)
{
    (void)state;
    world w;
    fake_asker fake;
    size_t picks[3];
    fill(&w);
    fake_asker_serve(&fake, &w.input, note, &w);
    pick_well(picks, 3, &w.input, "least-confidence(k=8, batch=2)");
    for (size_t a = 0; a < w.asked; a++) assert_int_equal(w.asked_counts[a], 2);
}

static void test_annotate__says_how_many_picks_lack_a_label(void **state)
{
    (void)state;
    world w;
    fake_asker fake;
    size_t picks[11], items[POOL], sure[4];
    fill(&w);
    fake_asker_serve(&fake, &w.input, note, &w);
    pick_well(sure, 4, &w.input, "least-confidence(k=3, batch=4)");
    w.labels[sure[2]] = ICL_LABEL_NONE;
    icl_label_wants wants = { .items = items };
    w.input.wants = &wants;
    assert_int_equal(pick_status(picks, 11, &w.input, "least-confidence(k=3, batch=4)"),
                     ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select method \"least-confidence\" shows its first 4 picks to the model, "
                        "and 1 of them has no label yet");
    assert_int_equal(wants.count, 4);
    assert_memory_equal(items, sure, sizeof sure);
    for (size_t i = 0; i < POOL; i++) w.labels[i] = ICL_LABEL_NONE;
    w.input.wants = NULL;
    assert_int_equal(pick_status(picks, 11, &w.input, "votek-full(first=10)"), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "votek-full"));
    assert_non_null(strstr(icl_error_message(), "have no label"));
}

/* Two of three items are left to the buckets: the ranking is from high to low item. */
static void test_annotate__full_vote_k_leaves_out_what_the_model_knows(void **state)
{
    (void)state;
    world w;
    fake_asker fake;
    size_t picks[8];
    fill(&w);
    fake_asker_serve(&fake, &w.input, note, &w);
    pick_well(picks, 8, &w.input, "votek-full(k=3, first=2, neighbours=4)");
    assert_int_equal(fake.calls, 1);
    assert_int_equal(fake.prompts, POOL - 2);
    size_t rank[POOL], count = 0;
    for (size_t item = POOL; item-- > 0;)
        if (item != picks[0] && item != picks[1]) rank[item] = count++;
    const size_t width = 21 / 6; /* nine tenths of 24 into 6 buckets */
    for (size_t b = 0; b < 6; b++) assert_int_equal(rank[picks[2 + b]] / width, b);
}

static void test_annotate__adaicl_picks_hard_items(void **state)
{
    (void)state;
    static const char *const calls[] = { "adaicl(k=3, first=4)",
                                         "adaicl(k=3, first=4, variant=plus, rounds=1)",
                                         "adaicl(k=3, first=4, variant=base)" };
    for (size_t c = 0; c < 3; c++) {
        world w;
        fake_asker fake;
        size_t picks[8], rank[POOL], count = 0;
        fill(&w);
        fake_asker_serve(&fake, &w.input, note, &w);
        pick_well(picks, 8, &w.input, calls[c]);
        assert_int_equal(fake.calls, 1); /* four hard items do not cover all ten */
        for (size_t item = POOL; item-- > 0;) {
            bool first = false;
            for (size_t i = 0; i < 4; i++) first |= picks[i] == item;
            if (!first) rank[item] = count++;
        }
        for (size_t i = 4; i < 8; i++) assert_true(rank[picks[i]] < 10);
    }
}

static void test_annotate__adaicl_base_leaves_the_longest_texts(void **state)
{
    (void)state;
    world w;
    fake_asker fake;
    size_t picks[9];
    char essay[1002 + 1];
    for (size_t i = 0; i < 1002; i++) essay[i] = i % 2 == 0 ? 'w' : ' ';
    essay[1002] = 0;
    fill(&w);
    w.pool_texts[23] = w.pool_texts[21] = essay; /* 501 words, two of ten hard items */
    fake_asker_serve(&fake, &w.input, note, &w);
    pick_well(picks, 9, &w.input, "adaicl(k=3, first=4, variant=base)");
    for (size_t i = 4; i < 9; i++) assert_true(picks[i] != 23 && picks[i] != 21);
}

static void test_annotate__random_picks_begin_alike_for_every_budget(void **state)
{
    (void)state;
    world w;
    size_t few[3], many[9];
    fill(&w);
    icl_options options = { 0 };
    icl_call call = { 0 };
    const icl_select_method *method = NULL;
    assert_int_equal(icl_select_find(&method, "least-confidence"), ICL_OK);
    assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
    icl_annotation annotation = { 0 };
    assert_int_equal(icl_annotation_init(&annotation, few, &w.input, &options), ICL_OK);
    icl_annotation_pick_random(&annotation, 3);
    icl_annotation_deinit(&annotation);
    assert_int_equal(icl_annotation_init(&annotation, many, &w.input, &options), ICL_OK);
    icl_annotation_pick_random(&annotation, 9);
    icl_annotation_deinit(&annotation);
    assert_memory_equal(few, many, sizeof few);
    icl_options_deinit(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_annotate__least_confidence_asks_in_batches),
        cmocka_unit_test(test_annotate__an_item_is_shown_the_nearest_picks_nearest_last),
        cmocka_unit_test(test_annotate__fewer_picks_than_k_are_all_shown),
        cmocka_unit_test(test_annotate__says_how_many_picks_lack_a_label),
        cmocka_unit_test(test_annotate__full_vote_k_leaves_out_what_the_model_knows),
        cmocka_unit_test(test_annotate__adaicl_picks_hard_items),
        cmocka_unit_test(test_annotate__adaicl_base_leaves_the_longest_texts),
        cmocka_unit_test(test_annotate__random_picks_begin_alike_for_every_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
