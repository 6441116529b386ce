/* The laws of training sequences, for every registered source and every value of its switches and
 * choices. A new source is covered by being registered. */
#include "train/source_world.h"

enum { DRAWS = 40 };

typedef void law(const source_world *w, const icl_source_kind *kind, const char *arguments);

/* The call with a pool where it wants one. */
static void call_of(char out[160], const icl_source_kind *kind, const char *arguments)
{
    bool wants_data = false, has_reach = false;
    for (size_t i = 0; i < kind->card.option_count; i++) {
        wants_data = wants_data || strcmp(kind->card.options[i].name, "data") == 0;
        has_reach = has_reach || strcmp(kind->card.options[i].name, "reach") == 0;
    }
    snprintf(out, 160, "%s(%s%s%s%s)", kind->card.name, wants_data ? "data=intents" : "",
             has_reach ? ",reach=20" : "", wants_data && *arguments != '\0' ? "," : "", arguments);
}

static bool has_no_names(const icl_source_kind *kind, const char *arguments)
{
    return strcmp(arguments, "labels=names") == 0 && strcmp(kind->card.name, "labelled") != 0;
}

static void for_every_setting(const source_world *w, const icl_source_kind *kind, law *holds)
{
    holds(w, kind, "");
    for (size_t i = 0; i < kind->card.option_count; i++) {
        const icl_option *option = &kind->card.options[i];
        static const char *const switches[] = { "false", "true", NULL };
        const char *const *values = option->type == ICL_OPTION_BOOL     ? switches
                                    : option->type == ICL_OPTION_CHOICE ? option->choices
                                                                        : NULL;
        for (; values != NULL && *values != NULL; values++) {
            char arguments[64];
            snprintf(arguments, sizeof arguments, "%s=%s", option->name, *values);
            if (!has_no_names(kind, arguments)) holds(w, kind, arguments);
        }
    }
}

static void for_every_kind(void **state, law *holds)
{
    size_t count = 0;
    const icl_source_kind *const *kinds = icl_source_kinds(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) for_every_setting(*state, kinds[i], holds);
}

static void assert_lawful(const source_world *w, const icl_sequence *sequence)
{
    assert_true(sequence->count > 1 && sequence->count <= w->world.context);
    assert_int_equal(sequence->targets[0], ICL_TARGET_NONE);
    size_t wanted = 0;
    for (size_t i = 0; i < sequence->count; i++) {
        assert_true(sequence->tokens[i] >= 0 &&
                    (size_t)sequence->tokens[i] < icl_bpe_vocab_count(w->bpe));
        assert_int_equal(sequence->weights[i] > 0, sequence->targets[i] != ICL_TARGET_NONE);
        wanted += sequence->targets[i] != ICL_TARGET_NONE;
        if (sequence->targets[i] != ICL_TARGET_ANSWER) continue;
        size_t at = 0;
        while (at < sequence->candidate_count && sequence->candidates[at] != sequence->tokens[i])
            at++;
        assert_true(at < sequence->candidate_count);
    }
    assert_true(wanted > 0);
    for (size_t i = 0; i < sequence->candidate_count; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(sequence->candidates[i] != sequence->candidates[j]);
    for (size_t i = 0; i < sequence->meaning_count; i++)
        assert_true(sequence->meanings[i].position < sequence->count);
    if (sequence->answer != SIZE_MAX)
        assert_int_equal(sequence->targets[sequence->answer], ICL_TARGET_ANSWER);
}

static void sequences_are_lawful(const source_world *w, const icl_source_kind *kind,
                                 const char *arguments)
{
    char call[160];
    call_of(call, kind, arguments);
    icl_source *source = open_source(&w->world, call);
    icl_sequence sequence = { 0 };
    for (uint64_t i = 0; i < DRAWS; i++) {
        draw_well(source, &sequence, i);
        assert_lawful(w, &sequence);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

static void assert_same(const icl_sequence *a, const icl_sequence *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->tokens, b->tokens, a->count * sizeof *a->tokens);
    assert_memory_equal(a->targets, b->targets, a->count * sizeof *a->targets);
    assert_memory_equal(a->weights, b->weights, a->count * sizeof *a->weights);
    assert_int_equal(a->answer, b->answer);
    assert_int_equal(a->candidate_count, b->candidate_count);
    for (size_t i = 0; i < a->candidate_count; i++)
        assert_int_equal(a->candidates[i], b->candidates[i]);
    assert_int_equal(a->meaning_count, b->meaning_count);
    for (size_t i = 0; i < a->meaning_count; i++) {
        assert_int_equal(a->meanings[i].position, b->meanings[i].position);
        assert_ptr_equal(a->meanings[i].vector, b->meanings[i].vector);
    }
}

/* Backwards and from a fresh source the same sequences: none depends on those before it. */
static void a_sequence_depends_on_its_index_alone(const source_world *w,
                                                  const icl_source_kind *kind,
                                                  const char *arguments)
{
    char call[160];
    call_of(call, kind, arguments);
    icl_source *source = open_source(&w->world, call), *other = open_source(&w->world, call);
    icl_sequence sequences[DRAWS] = { { 0 } }, again = { 0 };
    for (uint64_t i = 0; i < DRAWS; i++) draw_well(source, &sequences[i], i);
    for (uint64_t i = DRAWS; i-- > 0;) {
        draw_well(other, &again, i);
        assert_same(&again, &sequences[i]);
    }
    for (size_t i = 0; i < DRAWS; i++) icl_sequence_deinit(&sequences[i]);
    icl_sequence_deinit(&again);
    icl_source_close(other);
    icl_source_close(source);
}

static void another_seed_is_another_sequence(const source_world *w, const icl_source_kind *kind,
                                             const char *arguments)
{
    char call[160];
    call_of(call, kind, arguments);
    icl_source_world world = w->world;
    world.seed++;
    icl_source *source = open_source(&w->world, call), *other = open_source(&world, call);
    icl_sequence sequence = { 0 }, second = { 0 };
    size_t same = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        draw_well(source, &sequence, i);
        draw_well(other, &second, i);
        same += sequence.count == second.count &&
                memcmp(sequence.tokens, second.tokens, sequence.count * sizeof(int32_t)) == 0;
    }
    assert_int_equal(same, 0);
    icl_sequence_deinit(&second);
    icl_sequence_deinit(&sequence);
    icl_source_close(other);
    icl_source_close(source);
}

static void a_short_context_is_kept(const source_world *w, const icl_source_kind *kind,
                                    const char *arguments)
{
    char call[160];
    call_of(call, kind, arguments);
    source_world small = *w;
    small.world.context = 72;
    icl_source *source = open_source(&small.world, call);
    icl_sequence sequence = { 0 };
    for (uint64_t i = 0; i < DRAWS; i++) {
        draw_well(source, &sequence, i);
        assert_lawful(&small, &sequence);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

static void a_call_says_what_it_needs(const source_world *w, const icl_source_kind *kind,
                                      const char *arguments)
{
    char call[160], *pool = NULL;
    bool needs_vectors = true;
    call_of(call, kind, arguments);
    assert_int_equal(icl_source_inspect(&pool, &needs_vectors, call), ICL_OK);
    if (strstr(call, "data=") != NULL)
        assert_string_equal(pool, "intents");
    else
        assert_null(pool);
    free(pool);
    /* What needs no vectors does without; what needs them says so or leaves meanings out. */
    icl_pool bare = w->labelled, *pools[] = { &bare };
    bare.vectors = NULL;
    bare.vector_count = 0;
    icl_source_world world = w->world;
    world.pools = pools;
    world.pool_count = 1;
    icl_source *source = NULL;
    const icl_status status = icl_source_open(&source, call, &world);
    if (!needs_vectors) assert_int_equal(status, ICL_OK);
    if (status != ICL_OK) assert_non_null(strstr(icl_error_message(), "has no sentence vectors"));
    icl_source_close(source);
}

static void test_source_conformance__every_card_is_complete_and_found_by_name(void **state)
{
    size_t count = 0, card_count = 0;
    const icl_source_kind *const *kinds = icl_source_kinds(&count);
    const icl_card *const *cards = icl_source_cards(&card_count);
    assert_int_equal(count, card_count);
    for (size_t i = 0; i < count; i++) {
        const icl_card *card = &kinds[i]->card;
        assert_ptr_equal(card, cards[i]);
        assert_true(strlen(card->name) > 0 && strlen(card->summary) > 0);
        assert_true(strlen(card->paper) > 0 && strlen(card->cost) > 0);
        assert_true(card->option_count > 0 && card->option_count <= ICL_OPTIONS_MAX);
        for (size_t option = 0; option < card->option_count; option++)
            assert_true(strlen(card->options[option].help) > 0);
        for (size_t other = 0; other < i; other++)
            assert_true(strcmp(card->name, cards[other]->name) != 0);
    }
}

/* The canonical name opens the same source. */
static void the_canonical_name_reads_back(const source_world *w, const icl_source_kind *kind,
                                          const char *arguments)
{
    char call[160];
    call_of(call, kind, arguments);
    icl_source *source = open_source(&w->world, call);
    icl_source *other = open_source(&w->world, icl_source_name(source));
    assert_string_equal(icl_source_name(source), icl_source_name(other));
    icl_sequence sequence = { 0 }, second = { 0 };
    draw_well(source, &sequence, 5);
    draw_well(other, &second, 5);
    assert_same(&sequence, &second);
    icl_sequence_deinit(&second);
    icl_sequence_deinit(&sequence);
    icl_source_close(other);
    icl_source_close(source);
}

#define LAW_TEST(law)                                                                              \
    static void test_source_conformance__##law(void **state)                                       \
    {                                                                                              \
        for_every_kind(state, law);                                                                \
    }
LAW_TEST(sequences_are_lawful)
LAW_TEST(a_sequence_depends_on_its_index_alone)
LAW_TEST(another_seed_is_another_sequence)
LAW_TEST(a_short_context_is_kept)
LAW_TEST(a_call_says_what_it_needs)
LAW_TEST(the_canonical_name_reads_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_conformance__every_card_is_complete_and_found_by_name),
        cmocka_unit_test(test_source_conformance__sequences_are_lawful),
        cmocka_unit_test(test_source_conformance__a_sequence_depends_on_its_index_alone),
        cmocka_unit_test(test_source_conformance__another_seed_is_another_sequence),
        cmocka_unit_test(test_source_conformance__a_short_context_is_kept),
        cmocka_unit_test(test_source_conformance__a_call_says_what_it_needs),
        cmocka_unit_test(test_source_conformance__the_canonical_name_reads_back),
    };
    return cmocka_run_group_tests(tests, source_world_setup, source_world_teardown);
}
