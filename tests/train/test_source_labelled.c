/* Labelled episodes, read back from their tokens. */
#include "train/parsed_episode.h"

#include "near.h"

typedef void check(const source_world *w, const icl_sequence *sequence,
                   const parsed_episode *parsed, void *user);

/* Draws `count` episodes of a call and looks at each. */
static void for_episodes_in(const source_world *w, const icl_source_world *world, const char *call,
                            size_t count, check *holds, void *user)
{
    icl_source *source = open_source(world, call);
    icl_sequence sequence = { 0 };
    for (size_t i = 0; i < count; i++) {
        draw_well(source, &sequence, i);
        parsed_episode parsed = parse_episode(w, &sequence);
        holds(w, &sequence, &parsed, user);
        free_parsed(&parsed);
    }
    icl_sequence_deinit(&sequence);
    icl_source_close(source);
}

static void for_episodes(const source_world *w, const char *call, size_t count, check *holds,
                         void *user)
{
    for_episodes_in(w, &w->world, call, count, holds, user);
}

static void query_stands_alone(const source_world *w, const icl_sequence *sequence,
                               const parsed_episode *parsed, void *user)
{
    for (size_t i = 0; i < parsed->count; i++)
        for (size_t j = 0; j < i; j++) assert_true(parsed->items[i] != parsed->items[j]);
}

static void test_source_labelled__no_item_stands_twice(void **state)
{
    static const char *const modes[] = { "balanced", "random", "nearest", "mixed" };
    for (size_t i = 0; i < 4; i++) {
        char call[128];
        snprintf(call, sizeof call, "labelled(data=intents,shots=4-12,choose=%s)", modes[i]);
        for_episodes(*state, call, 200, query_stands_alone, NULL);
        snprintf(call, sizeof call, "labelled(data=intents,classes=2,shots=12,pool=79,choose=%s)",
                 modes[i]);
        for_episodes(*state, call, 50, query_stands_alone, NULL);
    }
}

static void names_are_the_items(const source_world *w, const icl_sequence *sequence,
                                const parsed_episode *parsed, void *user)
{
    for (size_t i = 0; i < parsed->count; i++)
        assert_string_equal(parsed->labels[i], world_names[parsed->items[i] % WORLD_LABELS]);
}

static void test_source_labelled__names_are_those_of_the_data(void **state)
{
    for_episodes(*state, "labelled(data=intents,labels=names)", 200, names_are_the_items, NULL);
}

/* One label for each class and one class for each label. */
static void labels_map_classes(const source_world *w, const icl_sequence *sequence,
                               const parsed_episode *parsed, void *user)
{
    for (size_t i = 0; i < parsed->count; i++) {
        for (size_t j = 0; j < i; j++) {
            const bool same_class =
                parsed->items[i] % WORLD_LABELS == parsed->items[j] % WORLD_LABELS;
            const bool same_label = strcmp(parsed->labels[i], parsed->labels[j]) == 0;
            assert_true(same_class == same_label);
        }
    }
}

static void test_source_labelled__a_label_is_one_class_within_an_episode(void **state)
{
    static const char *const kinds[] = { "words", "symbols", "mixed", "held", "names,flip=1" };
    for (size_t i = 0; i < 5; i++) {
        char call[128];
        snprintf(call, sizeof call, "labelled(data=intents,classes=2-6,labels=%s)", kinds[i]);
        for_episodes(*state, call, 200, labels_map_classes, NULL);
    }
}

static void no_name_is_its_own(const source_world *w, const icl_sequence *sequence,
                               const parsed_episode *parsed, void *user)
{
    for (size_t i = 0; i < parsed->count; i++) {
        const char *own = world_names[parsed->items[i] % WORLD_LABELS];
        assert_true(strcmp(parsed->labels[i], own) != 0);
        bool known = false;
        for (size_t label = 0; label < WORLD_LABELS; label++)
            known = known || strcmp(parsed->labels[i], world_names[label]) == 0;
        assert_true(known);
    }
}

static void test_source_labelled__flipped_classes_exchange_their_names(void **state)
{
    for_episodes(*state, "labelled(data=intents,flip=1)", 200, no_name_is_its_own, NULL);
}

static void classes_are_equal(const source_world *w, const icl_sequence *sequence,
                              const parsed_episode *parsed, void *user)
{
    size_t counts[WORLD_LABELS] = { 0 };
    assert_int_equal(parsed->count, 14 + 1);
    for (size_t i = 0; i + 1 < parsed->count; i++) counts[parsed->items[i] % WORLD_LABELS]++;
    for (size_t label = 0; label < WORLD_LABELS; label++)
        assert_true(counts[label] == 0 || counts[label] == 3 || counts[label] == 4);
}

static void test_source_labelled__balanced_means_equally_many(void **state)
{
    icl_source_world world = ((source_world *)*state)->world;
    world.context = 1000;
    for_episodes_in(*state, &world, "labelled(data=intents,classes=4,shots=14)", 100,
                    classes_are_equal, NULL);
}

static double nearness(const source_world *w, size_t a, size_t b)
{
    double sum = 0;
    for (size_t d = 0; d < WORLD_COLUMNS; d++)
        sum +=
            (double)w->vectors[a * WORLD_COLUMNS + d] * (double)w->vectors[b * WORLD_COLUMNS + d];
    return sum;
}

/* With a pool of all items the demonstrations are the nearest of all, the nearest one last. */
static void demonstrations_are_nearest(const source_world *w, const icl_sequence *sequence,
                                       const parsed_episode *parsed, void *user)
{
    const size_t query = parsed->items[parsed->count - 1], shots = parsed->count - 1;
    for (size_t i = 0; i < shots; i++) {
        size_t nearer = 0;
        const double near = nearness(w, query, parsed->items[i]);
        for (size_t item = 0; item < WORLD_ITEMS; item++)
            nearer += item != query && nearness(w, query, item) > near;
        assert_int_equal(nearer, shots - 1 - i);
    }
}

static void test_source_labelled__nearest_stands_last(void **state)
{
    for_episodes(*state, "labelled(data=intents,classes=6,shots=8,choose=nearest,pool=4096)", 100,
                 demonstrations_are_nearest, NULL);
}

/* Of a smaller pool they are in order, but not always the nearest of all. */
static void demonstrations_approach(const source_world *w, const icl_sequence *sequence,
                                    const parsed_episode *parsed, void *user)
{
    const size_t query = parsed->items[parsed->count - 1];
    for (size_t i = 0; i + 2 < parsed->count; i++)
        assert_true(nearness(w, query, parsed->items[i]) <=
                    nearness(w, query, parsed->items[i + 1]));
    size_t nearer = 0;
    const double last = nearness(w, query, parsed->items[parsed->count - 2]);
    for (size_t item = 0; item < WORLD_ITEMS; item++)
        nearer += item != query && nearness(w, query, item) > last;
    *(size_t *)user += nearer > 0;
}

static void test_source_labelled__nearest_looks_at_its_pool_only(void **state)
{
    size_t missed = 0;
    for_episodes(*state, "labelled(data=intents,classes=6,shots=4,choose=nearest,pool=20)", 100,
                 demonstrations_approach, &missed);
    assert_true(missed > 50);
}

typedef struct tally {
    size_t right, wrong;
} tally;

static void count_noise(const source_world *w, const icl_sequence *sequence,
                        const parsed_episode *parsed, void *user)
{
    tally *t = user;
    for (size_t i = 0; i < parsed->count; i++) {
        const char *own = world_names[parsed->items[i] % WORLD_LABELS];
        const bool right = strcmp(parsed->labels[i], own) == 0;
        if (i + 1 == parsed->count) assert_true(right); /* the query's answer stays */
        t->right += right && i + 1 < parsed->count;
        t->wrong += !right;
    }
}

static void test_source_labelled__noise_has_its_share(void **state)
{
    tally t = { 0 };
    for_episodes(*state, "labelled(data=intents,noise=0.3)", 800, count_noise, &t);
    assert_near((double)t.wrong / (double)(t.right + t.wrong), 0.3, 0.02);
}

/* Nothing in the text tells a label that noise has changed, so it is not asked for. */
static void noise_is_no_target(const source_world *w, const icl_sequence *sequence,
                               const parsed_episode *parsed, void *user)
{
    size_t asked = 0, right = 0;
    for (size_t i = 1; i < sequence->count; i++)
        asked += sequence->targets[i] == ICL_TARGET_ANSWER &&
                 sequence->targets[i - 1] == ICL_TARGET_NONE;
    for (size_t i = 1; i < parsed->count; i++)
        right += strcmp(parsed->labels[i], world_names[parsed->items[i] % WORLD_LABELS]) == 0;
    assert_int_equal(asked, right);
}

static void test_source_labelled__noise_is_not_asked_for(void **state)
{
    for_episodes(*state, "labelled(data=intents,noise=0.4,loss=all)", 100, noise_is_no_target,
                 NULL);
}

/* A label that no demonstration has shown cannot be known; it is asked for where there is no other.
 */
static void new_labels_are_no_target(const source_world *w, const icl_sequence *sequence,
                                     const parsed_episode *parsed, void *user)
{
    size_t asked = 0, seen = 0;
    for (size_t i = 1; i < sequence->count; i++)
        asked += sequence->targets[i] == ICL_TARGET_ANSWER &&
                 sequence->targets[i - 1] == ICL_TARGET_NONE;
    for (size_t i = 1; i < parsed->count; i++) {
        bool before = false;
        for (size_t j = 0; j < i; j++)
            before = before || strcmp(parsed->labels[i], parsed->labels[j]) == 0;
        seen += before;
    }
    assert_int_equal(asked, seen > 0 ? seen : 1);
}

static void test_source_labelled__new_labels_are_not_asked_for(void **state)
{
    for_episodes(*state, "labelled(data=intents,choose=random,loss=seen)", 200,
                 new_labels_are_no_target, NULL);
}

/* Word of the query's class, by class: no class prefers a word. */
static void count_words(const source_world *w, const icl_sequence *sequence,
                        const parsed_episode *parsed, void *user)
{
    size_t(*counts)[WORLD_WORDS] = user;
    const size_t last = parsed->count - 1;
    for (size_t word = 0; word < WORLD_WORDS; word++)
        counts[parsed->items[last] % WORLD_LABELS][word] +=
            strcmp(parsed->labels[last], world_words[word]) == 0;
}

static void test_source_labelled__words_and_classes_are_independent(void **state)
{
    size_t counts[WORLD_LABELS][WORLD_WORDS] = { 0 };
    const size_t draws = 5400, cells = WORLD_LABELS * (WORLD_WORDS - 1); /* "keep" is held */
    for_episodes(*state, "labelled(data=intents,labels=words,classes=2-6,shots=4)", draws,
                 count_words, counts);
    const double expected = (double)draws / (double)cells;
    double chi_squared = 0;
    for (size_t label = 0; label < WORLD_LABELS; label++) {
        for (size_t word = 0; word + 1 < WORLD_WORDS; word++) {
            const double off = (double)counts[label][word] - expected;
            chi_squared += off * off / expected;
        }
        assert_int_equal(counts[label][WORLD_WORDS - 1], 0);
    }
    assert_true(chi_squared < 90.6); /* 53 degrees of freedom, 99.9 % */
}

static void no_word_is_held(const source_world *w, const icl_sequence *sequence,
                            const parsed_episode *parsed, void *user)
{
    for (size_t i = 0; i < parsed->count; i++)
        for (size_t word = 0; word < WORLD_HELD; word++)
            assert_true(strcmp(parsed->labels[i], world_held[word]) != 0);
}

static void all_words_are_held(const source_world *w, const icl_sequence *sequence,
                               const parsed_episode *parsed, void *user)
{
    for (size_t i = 0; i < parsed->count; i++) {
        bool held = false;
        for (size_t word = 0; word < WORLD_HELD; word++)
            held = held || strcmp(parsed->labels[i], world_held[word]) == 0;
        assert_true(held);
    }
}

static void test_source_labelled__held_words_are_for_evaluation_alone(void **state)
{
    const source_world *w = *state;
    for_episodes(w, "labelled(data=intents,labels=words,classes=6)", 300, no_word_is_held, NULL);
    for_episodes(w, "labelled(data=intents,labels=mixed)", 300, no_word_is_held, NULL);
    for_episodes(w, "labelled(data=intents,labels=held,classes=2-6)", 100, all_words_are_held,
                 NULL);
    /* Symbols and names that happen to be held are not used either. */
    static const char *const letters[] = { "A", "B", "C", "D", "E", "F", "G", "H", "I", "J" };
    icl_source_world world = w->world;
    world.held_words = letters;
    world.held_word_count = 10;
    icl_source *source = open_source(&world, "labelled(data=intents,labels=symbols)");
    icl_sequence sequence = { 0 };
    for (size_t i = 0; i < 500; i++) {
        draw_well(source, &sequence, i);
        parsed_episode parsed = parse_episode(w, &sequence);
        for (size_t d = 0; d < parsed.count; d++)
            assert_false(parsed.labels[d][1] == '\0' && parsed.labels[d][0] <= 'J' &&
                         parsed.labels[d][0] >= 'A');
        free_parsed(&parsed);
    }
    icl_source_close(source);
    world.held_words = world_names + 2;
    world.held_word_count = 4;
    source = open_source(&world, "labelled(data=intents)");
    for (size_t i = 0; i < 50; i++) {
        draw_well(source, &sequence, i);
        assert_int_equal(sequence.candidate_count >= 2, 1);
        parsed_episode parsed = parse_episode(w, &sequence);
        for (size_t d = 0; d < parsed.count; d++) assert_true(parsed.items[d] % WORLD_LABELS < 2);
        free_parsed(&parsed);
    }
    icl_source_close(source);
    icl_sequence_deinit(&sequence);
}

/* The tokens whose text lies between the end of an input and the end of its label. */
static void targets_are_answers(const source_world *w, const icl_sequence *sequence,
                                const parsed_episode *parsed, void *user)
{
    const bool all = *(const bool *)user;
    size_t byte = 0;
    for (size_t i = 0; i < sequence->count; i++) {
        size_t bytes = 0, label = 0;
        icl_bpe_piece(w->bpe, sequence->tokens[i], &bytes);
        while (label < parsed->count && parsed->label_ends[label] <= byte) label++;
        const size_t begin = parsed->label_ends[label] - strlen(parsed->labels[label]) - 1;
        const bool wanted = byte >= begin && (all ? label > 0 : label + 1 == parsed->count);
        assert_int_equal(sequence->targets[i], wanted ? ICL_TARGET_ANSWER : ICL_TARGET_NONE);
        assert_true(sequence->weights[i] == (wanted ? 1.0F : 0.0F));
        if (byte == begin && label + 1 == parsed->count) assert_int_equal(sequence->answer, i);
        byte += bytes;
    }
}

static void test_source_labelled__targets_are_the_answers_alone(void **state)
{
    bool all = false;
    for_episodes(*state, "labelled(data=intents,labels=mixed,loss=query)", 200, targets_are_answers,
                 &all);
    all = true;
    for_episodes(*state, "labelled(data=intents,labels=mixed,loss=all)", 200, targets_are_answers,
                 &all);
}

/* The first candidates are first tokens, one for each class shown or not, and every target and
 * every label's token is among them. */
static void candidates_are_complete(const source_world *w, const icl_sequence *sequence,
                                    const parsed_episode *parsed, void *user)
{
    const size_t class_count = *(const size_t *)user;
    assert_true(sequence->candidate_count >= class_count);
    size_t answer = 0;
    while (sequence->candidates[answer] != sequence->tokens[sequence->answer]) answer++;
    assert_true(answer < class_count);
    for (size_t i = 0; i < sequence->count; i++) {
        size_t at = 0;
        if (sequence->targets[i] != ICL_TARGET_ANSWER) continue;
        while (at < sequence->candidate_count && sequence->candidates[at] != sequence->tokens[i])
            at++;
        assert_true(at < sequence->candidate_count);
    }
}

static void test_source_labelled__candidates_begin_with_the_classes(void **state)
{
    size_t class_count = 5;
    static const char *const kinds[] = { "names", "words", "symbols" };
    for (size_t i = 0; i < 3; i++) {
        char call[128];
        snprintf(call, sizeof call, "labelled(data=intents,classes=5,labels=%s)", kinds[i]);
        for_episodes(*state, call, 100, candidates_are_complete, &class_count);
    }
}

/* The engine tokenizes a prompt as one text behind BOS; an episode is written piece by piece. */
static void tokens_are_those_of_the_text(const source_world *w, const icl_sequence *sequence,
                                         const parsed_episode *parsed, void *user)
{
    icl_tokens joint = { 0 };
    size_t spelling = 0;
    assert_int_equal(sequence->tokens[0], icl_bpe_end_of_text(w->bpe));
    icl_bpe_piece(w->bpe, sequence->tokens[0], &spelling);
    const char *text = parsed->text + spelling;
    assert_int_equal(icl_bpe_encode(w->bpe, text, strlen(text), &joint), ICL_OK);
    assert_int_equal(joint.count, sequence->count - 1);
    assert_memory_equal(joint.items, sequence->tokens + 1, joint.count * sizeof *joint.items);
    icl_tokens_deinit(&joint);
}

static void test_source_labelled__tokens_are_those_of_the_whole_prompt(void **state)
{
    for_episodes(*state, "labelled(data=intents,labels=mixed)", 300, tokens_are_those_of_the_text,
                 NULL);
}

/* The last token before each answer shall mean what its input means. */
static void meanings_are_before_answers(const source_world *w, const icl_sequence *sequence,
                                        const parsed_episode *parsed, void *user)
{
    assert_int_equal(sequence->meaning_count, parsed->count);
    for (size_t i = 0; i < parsed->count; i++) {
        const icl_meaning *meaning = &sequence->meanings[i];
        assert_ptr_equal(meaning->vector, w->vectors + parsed->items[i] * WORLD_COLUMNS);
        if (i > 0) {
            assert_int_equal(sequence->targets[meaning->position], ICL_TARGET_NONE);
            assert_int_equal(sequence->targets[meaning->position + 1], ICL_TARGET_ANSWER);
        }
    }
    assert_int_equal(sequence->meanings[parsed->count - 1].position + 1, sequence->answer);
}

static void test_source_labelled__meanings_stand_before_the_answers(void **state)
{
    for_episodes(*state, "labelled(data=intents,meaning=true,loss=all)", 100,
                 meanings_are_before_answers, NULL);
}

/* A short context keeps the nearest demonstrations. */
static void the_near_end_stays(const source_world *w, const icl_sequence *sequence,
                               const parsed_episode *parsed, void *user)
{
    size_t *longest = user;
    assert_true(sequence->count <= 120 && parsed->count < 16);
    demonstrations_are_nearest(w, sequence, parsed, NULL);
    if (sequence->count > *longest) *longest = sequence->count;
}

static void test_source_labelled__what_does_not_fit_is_left_out_from_the_front(void **state)
{
    const source_world *w = *state;
    icl_source_world world = w->world;
    size_t longest = 0;
    world.context = 120;
    for_episodes_in(w, &world, "labelled(data=intents,classes=6,shots=16,choose=nearest,pool=4096)",
                    50, the_near_end_stays, &longest);
    assert_true(longest > 90);
}

static void test_source_labelled__inputs_are_cut_when_one_is_too_long(void **state)
{
    icl_source_world world = ((source_world *)*state)->world;
    icl_sequence sequence = { 0 };
    world.context = 60;
    icl_source *source = open_source(&world, "labelled(data=intents,labels=words)");
    for (size_t i = 0; i < 50; i++) {
        draw_well(source, &sequence, i);
        assert_true(sequence.count <= 60 && sequence.answer < 60);
    }
    icl_source_close(source);
    world.context = 8;
    source = open_source(&world, "labelled(data=intents,labels=words)");
    assert_int_equal(icl_source_draw(source, &sequence, 0), ICL_ECONTEXT);
    assert_non_null(strstr(icl_error_message(), "but the context has 8"));
    icl_source_close(source);
    icl_sequence_deinit(&sequence);
}

static void assert_refused(const icl_source_world *world, const char *call, icl_status status,
                           const char *sentence)
{
    icl_source *source = NULL;
    assert_int_equal(icl_source_open(&source, call, world), status);
    assert_string_equal(icl_error_message(), sentence);
    assert_null(source);
}

static void test_source_labelled__what_it_lacks_is_one_sentence(void **state)
{
    const source_world *w = *state;
    assert_refused(&w->world, "labelled", ICL_EINVAL,
                   "source labelled needs the option data, the name of a pool");
    assert_refused(&w->world, "labelled(data=intent)", ICL_ENOTFOUND,
                   "source labelled: no pool \"intent\"; did you mean \"intents\"?");
    assert_refused(&w->world, "labelled(data=stories)", ICL_EINVAL,
                   "source labelled: pool \"stories\" has no labels");
    assert_refused(&w->world, "labelled(data=intents,classes=1-4)", ICL_EINVAL,
                   "option classes of labelled: \"1-4\" is not within 2..64");
    assert_refused(&w->world, "labeled(data=intents)", ICL_ENOTFOUND,
                   "unknown source method \"labeled\"; did you mean \"labelled\"?");
    icl_source_world bare = w->world;
    bare.held_word_count = 0;
    assert_refused(&bare, "labelled(data=intents,labels=held,classes=2)", ICL_EINVAL,
                   "option labels of labelled: 2 classes need as many words that begin with "
                   "different tokens, but the recipe's 0 held words give 0");
    icl_pool single = w->labelled, plain = w->labelled;
    icl_pool *pools[] = { &single, &plain };
    bare.pools = pools;
    plain.name = (char *)"plain";
    plain.vectors = NULL;
    plain.vector_count = 0;
    single.count = 1;
    assert_refused(&bare, "labelled(data=intents)", ICL_EINVAL,
                   "source labelled: pool \"intents\" has 0 classes with two texts or more and "
                   "names that begin with different tokens; an episode needs two");
    assert_refused(&bare, "labelled(data=plain,choose=nearest)", ICL_EINVAL,
                   "option choose of labelled: pool \"plain\" has no sentence vectors");
    bare.held_words = world_names + 1;
    bare.held_word_count = WORLD_LABELS - 1;
    assert_refused(&bare, "labelled(data=plain)", ICL_EINVAL,
                   "source labelled: pool \"plain\" has 1 classes with two texts or more and "
                   "names that begin with different tokens; an episode needs two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_labelled__no_item_stands_twice),
        cmocka_unit_test(test_source_labelled__names_are_those_of_the_data),
        cmocka_unit_test(test_source_labelled__a_label_is_one_class_within_an_episode),
        cmocka_unit_test(test_source_labelled__flipped_classes_exchange_their_names),
        cmocka_unit_test(test_source_labelled__balanced_means_equally_many),
        cmocka_unit_test(test_source_labelled__nearest_stands_last),
        cmocka_unit_test(test_source_labelled__nearest_looks_at_its_pool_only),
        cmocka_unit_test(test_source_labelled__noise_has_its_share),
        cmocka_unit_test(test_source_labelled__noise_is_not_asked_for),
        cmocka_unit_test(test_source_labelled__new_labels_are_not_asked_for),
        cmocka_unit_test(test_source_labelled__words_and_classes_are_independent),
        cmocka_unit_test(test_source_labelled__held_words_are_for_evaluation_alone),
        cmocka_unit_test(test_source_labelled__targets_are_the_answers_alone),
        cmocka_unit_test(test_source_labelled__candidates_begin_with_the_classes),
        cmocka_unit_test(test_source_labelled__tokens_are_those_of_the_whole_prompt),
        cmocka_unit_test(test_source_labelled__meanings_stand_before_the_answers),
        cmocka_unit_test(test_source_labelled__what_does_not_fit_is_left_out_from_the_front),
        cmocka_unit_test(test_source_labelled__inputs_are_cut_when_one_is_too_long),
        cmocka_unit_test(test_source_labelled__what_it_lacks_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, source_world_setup, source_world_teardown);
}
