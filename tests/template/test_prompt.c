/* Prompts and token boundaries, on a toy tokenizer that merges across the join. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <icl/sys/model.h>

#include "base/rng.h"
#include "base/text.h"
#include "template/prompt.h"

/* ---- a model that only tokenises: longest match from the left over these, then single bytes ----
 */

static const char *const words[] = { "<s>",  "Answer", "Ans", "wer", " good", " go", "od",
                                     " bad", "\n\n",   "\n",  "::",  "ab",    "abc", "bc" };
enum { WORD_COUNT = sizeof words / sizeof words[0], BOS = 256, FIRST_WORD = 256 };

static size_t longest_word(const char *text, size_t length, bool special)
{
    size_t best = WORD_COUNT, best_length = 1;
    for (size_t w = special ? 0 : 1; w < WORD_COUNT; w++) {
        const size_t size = strlen(words[w]);
        if (size <= length && size > best_length && memcmp(text, words[w], size) == 0) {
            best = w;
            best_length = size;
        }
    }
    return best;
}

static icl_status toy_tokenize(void *self, int32_t *out_tokens, size_t capacity, size_t *out_count,
                               const char *text, size_t length, bool parse_special)
{
    size_t count = 0;
    for (size_t at = 0; at < length; count++) {
        const size_t word = longest_word(text + at, length - at, parse_special);
        assert_true(count < capacity);
        out_tokens[count] =
            word < WORD_COUNT ? (int32_t)(FIRST_WORD + word) : (unsigned char)text[at];
        at += word < WORD_COUNT ? strlen(words[word]) : 1;
    }
    *out_count = count;
    return ICL_OK;
}

static icl_status toy_piece(void *self, char *out, size_t capacity, size_t *out_length,
                            int32_t token)
{
    const char byte = (char)token;
    *out_length = token >= FIRST_WORD ? strlen(words[token - FIRST_WORD]) : 1;
    memcpy(out, token >= FIRST_WORD ? words[token - FIRST_WORD] : &byte, *out_length);
    return ICL_OK;
}

static void toy_close(void *self)
{
}

static const icl_model_backend toy = {
    .name = "toy", .close = toy_close, .tokenize = toy_tokenize, .piece = toy_piece
};

static icl_model *open_toy(size_t window_tokens, const char *chat_template)
{
    icl_model *model = NULL;
    const icl_model_info info = { .path = "toy.gguf",
                                  .vocab_count = FIRST_WORD + WORD_COUNT,
                                  .window_tokens = window_tokens,
                                  .chat_template = chat_template,
                                  .bos = BOS,
                                  .eos = -1 };
    assert_int_equal(icl_model_new(&model, &toy, NULL, &info), ICL_OK);
    return model;
}

static icl_prompter_options plain_options(void)
{
    return (icl_prompter_options){ .instruction = "", .answer_prefix = " ", .separator = "\n\n" };
}

static icl_prompter *open_prompter(icl_model *model, const icl_prompter_options *options)
{
    icl_prompter *prompter = NULL;
    if (icl_prompter_new(&prompter, model, options) != ICL_OK) fail_msg("%s", icl_error_message());
    return prompter;
}

/* ---- tests ---- */

static const icl_demonstration three[] = { { "one:", "good" },
                                           { "two:", "bad" },
                                           { "three:", "good" } };

static void test_prompt__demonstrations_stand_before_the_query(void **state)
{
    icl_model *model = open_toy(0, NULL);
    icl_prompter_options options = plain_options();
    options.instruction = "Judge.";
    icl_prompter *prompter = open_prompter(model, &options);
    icl_prompt prompt = { 0 };
    assert_int_equal(icl_prompter_build(&prompt, prompter, three, 2, "four:", "q"), ICL_OK);
    assert_string_equal(prompt.text, "Judge.\n\none: good\n\ntwo: bad\n\nfour:");
    assert_int_equal(prompt.tokens[0], BOS);
    assert_true(prompt.tokens[1] == 'J');
    assert_int_equal(prompt.bos_count, 1);
    icl_prompt_deinit(&prompt);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static const char chat_template[] =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";

static void expect_aligned(bool chat, const char *aligner, size_t count, const char *expected)
{
    icl_model *model = open_toy(0, chat_template);
    icl_prompter_options options = plain_options();
    options.chat = chat;
    options.aligner = aligner;
    icl_prompter *prompter = open_prompter(model, &options);
    icl_prompt prompt = { 0 };
    assert_int_equal(icl_prompter_build(&prompt, prompter, three, count, "q:", "q"), ICL_OK);
    assert_string_equal(prompt.text, expected);
    icl_prompt_deinit(&prompt);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void test_prompt__the_aligner_stands_between_demonstrations_and_query(void **state)
{
    expect_aligned(false, "good is bon.", 1, "one: good\n\ngood is bon.\n\nq:");
    expect_aligned(false, "good is bon.", 0, "q:");
    expect_aligned(false, "", 1, "one: good\n\nq:");
    expect_aligned(true, "good is bon.", 1,
                   "<s>[user]one:[assistant]good[user]good is bon.\n\nq:[assistant]");
    expect_aligned(true, "good is bon.", 0, "<s>[user]q:[assistant]");
}

/* Text of tokens, for comparing boundaries by eye. */
static void spell(icl_text *out, const int32_t *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char piece[16];
        size_t length;
        toy_piece(NULL, piece, sizeof piece, &length, tokens[i]);
        icl_text_append(out, piece, length);
        icl_text_append_char(out, '|');
    }
}

static void expect_answer(icl_join join, const char *prefix, const char *query, const char *answer,
                          const char *expected_prefix, const char *expected, bool merged)
{
    icl_model *model = open_toy(0, NULL);
    icl_prompter_options options = plain_options();
    options.answer_prefix = prefix;
    options.join = join;
    icl_prompter *prompter = open_prompter(model, &options);
    icl_prompt prompt = { 0 };
    icl_answer found = { 0 };
    icl_text text = { 0 };
    assert_int_equal(icl_prompter_build(&prompt, prompter, NULL, 0, query, "q"), ICL_OK);
    assert_int_equal(icl_prompter_answer(&found, prompter, &prompt, answer), ICL_OK);
    spell(&text, prompt.tokens, found.prefix_count);
    assert_string_equal(icl_text_string(&text), expected_prefix);
    icl_text_clear(&text);
    spell(&text, found.tokens, found.token_count);
    assert_string_equal(icl_text_string(&text), expected);
    assert_int_equal(found.merged, merged);
    icl_text_deinit(&text);
    icl_prompt_deinit(&prompt);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void test_prompt__joint_gives_a_crossing_token_to_the_answer(void **state)
{
    expect_answer(ICL_JOIN_JOINT, "", "xyz Ans", "wer", "<s>|x|y|z| |", "Answer|", true);
    expect_answer(ICL_JOIN_JOINT, " ", "xyz:", "good", "<s>|x|y|z|:|", " good|", false);
    /* A merge that changes more than the tail is still right. */
    expect_answer(ICL_JOIN_JOINT, "", "a", "bc", "<s>|", "abc|", true);
}

static void test_prompt__separate_keeps_the_prompt_whole(void **state)
{
    expect_answer(ICL_JOIN_SEPARATE, "", "xyz Ans", "wer", "<s>|x|y|z| |Ans|", "wer|", false);
    expect_answer(ICL_JOIN_SEPARATE, " ", "xyz:", "good", "<s>|x|y|z|:|", " good|", false);
}

static void test_prompt__heal_scores_the_last_prompt_token_too(void **state)
{
    expect_answer(ICL_JOIN_HEAL, " ", "xyz:", "good", "<s>|x|y|z|", ":| good|", false);
    expect_answer(ICL_JOIN_HEAL, "", "xyz Ans", "wer", "<s>|x|y|z| |", "Answer|", true);
}

/* The shared table of tails gives what tokenising prompt and answer whole gives. */
static void test_prompt__shared_tails_equal_whole_tokenisation(void **state)
{
    static const char alphabet[] = "abcdo A:\nnswerg";
    icl_rng rng = icl_rng_new(4, NULL, NULL, NULL);
    icl_model *model = open_toy(0, NULL);
    icl_prompter_options options = plain_options();
    options.answer_prefix = "";
    icl_prompter *prompter = open_prompter(model, &options);
    for (size_t trial = 0; trial < 3000; trial++) {
        char query[24], answer[6], whole[32];
        int32_t tokens[32];
        size_t count;
        const size_t query_length = 1 + icl_rng_below(&rng, 20);
        const size_t answer_length = 1 + icl_rng_below(&rng, 4);
        for (size_t i = 0; i < query_length; i++)
            query[i] = alphabet[icl_rng_below(&rng, sizeof alphabet - 1)];
        for (size_t i = 0; i < answer_length; i++)
            answer[i] = alphabet[icl_rng_below(&rng, sizeof alphabet - 1)];
        query[query_length] = answer[answer_length] = '\0';
        icl_prompt prompt = { 0 };
        icl_answer found = { 0 };
        assert_int_equal(icl_prompter_build(&prompt, prompter, NULL, 0, query, "q"), ICL_OK);
        assert_int_equal(icl_prompter_answer(&found, prompter, &prompt, answer), ICL_OK);
        memcpy(whole, query, query_length);
        memcpy(whole + query_length, answer, answer_length + 1);
        toy_tokenize(NULL, tokens, 32, &count, whole, query_length + answer_length, false);
        assert_int_equal(found.prefix_count - 1 + found.token_count, count);
        assert_memory_equal(prompt.tokens + 1, tokens, (found.prefix_count - 1) * sizeof *tokens);
        assert_memory_equal(found.tokens, tokens + found.prefix_count - 1,
                            found.token_count * sizeof *tokens);
        icl_prompt_deinit(&prompt);
    }
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void expect_input(const icl_prompter_options *options, const char *chat, const char *input,
                         const char *expected)
{
    icl_model *model = open_toy(0, chat);
    icl_prompter *prompter = open_prompter(model, options);
    icl_prompt prompt = { 0 };
    icl_token_range range = { 0 };
    icl_text text = { 0 };
    assert_int_equal(icl_prompter_build(&prompt, prompter, three, 1, input, "q"), ICL_OK);
    if (icl_prompter_input_tokens(&range, prompter, &prompt, input) != ICL_OK)
        fail_msg("%s", icl_error_message());
    assert_true(range.first + range.count <= prompt.token_count);
    spell(&text, prompt.tokens + range.first, range.count);
    assert_string_equal(icl_text_string(&text), expected);
    icl_text_deinit(&text);
    icl_prompt_deinit(&prompt);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void test_prompt__tokens_of_the_input_are_those_with_a_byte_of_it(void **state)
{
    icl_prompter_options options = plain_options();
    expect_input(&options, NULL, "four:", "f|o|u|r|:|");
    expect_input(&options, NULL, "", "");
    options.separator = "\n";
    expect_input(&options, NULL, "\nfour", "\n\n|f|o|u|r|"); /* crosses the join */
    options.chat = true;
    static const char template[] = "{% for m in messages %}[{{ m.content }}]{% endfor %}:";
    expect_input(&options, template, "::ab", "::|ab|");
    expect_input(&options, template, "]:", "]|:|"); /* what follows the turn is not the input */
    expect_input(&options, "{% for m in messages %}{{ m.content }}:{% endfor %}", "x:", "x|::|");
}

static void test_prompt__an_input_that_the_chat_template_rewrites_is_refused(void **state)
{
    icl_prompter_options options = plain_options();
    options.chat = true;
    icl_model *model = open_toy(0, "{{ messages[-1].content | trim }}.");
    icl_prompter *prompter = open_prompter(model, &options);
    icl_prompt prompt = { 0 };
    icl_token_range range = { 0 };
    assert_int_equal(icl_prompter_build(&prompt, prompter, NULL, 0, "end ", "q"), ICL_OK);
    assert_int_equal(icl_prompter_input_tokens(&range, prompter, &prompt, "end "),
                     ICL_EUNSUPPORTED);
    assert_string_equal(icl_error_message(), "the chat template rewrites the user's turn");
    icl_prompt_deinit(&prompt);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void expect_drop(icl_drop drop, const char *expected, size_t first_kept)
{
    icl_model *model = open_toy(24, NULL);
    icl_prompter_options options = plain_options();
    options.drop = drop;
    icl_prompter *prompter = open_prompter(model, &options);
    icl_prompt prompt = { 0 };
    assert_int_equal(icl_prompter_reserve_answer(prompter, "good"), ICL_OK);
    assert_int_equal(icl_prompter_build(&prompt, prompter, three, 3, "four:", "q"), ICL_OK);
    assert_string_equal(prompt.text, expected);
    assert_int_equal(prompt.kept_count, 2);
    assert_int_equal(prompt.first_kept, first_kept);
    icl_prompt_deinit(&prompt);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void test_prompt__overflow_drops_by_policy(void **state)
{
    expect_drop(ICL_DROP_FAR, "two: bad\n\nthree: good\n\nfour:", 1);
    expect_drop(ICL_DROP_NEAR, "one: good\n\ntwo: bad\n\nfour:", 0);
}

static void test_prompt__what_does_not_fit_is_refused_by_name(void **state)
{
    icl_model *model = open_toy(8, NULL);
    icl_prompter_options options = plain_options();
    icl_prompter *prompter = open_prompter(model, &options);
    icl_prompt prompt = { 0 };
    assert_int_equal(icl_prompter_build(&prompt, prompter, three, 3, "a long query:", "query 7"),
                     ICL_ECONTEXT);
    assert_null(prompt.text);
    assert_string_equal(
        icl_error_message(),
        "query 7: a prompt of 14 tokens and an answer of up to 1 exceed the model's "
        "window of 8 tokens");
    icl_prompter_free(prompter);
    options.drop = ICL_DROP_NEVER;
    prompter = open_prompter(model, &options);
    assert_int_equal(icl_prompter_build(&prompt, prompter, three, 1, "q:", "q"), ICL_ECONTEXT);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void test_prompt__chat_turns_follow_the_models_template_with_one_bos(void **state)
{
    icl_model *model = open_toy(0, chat_template);
    icl_prompter_options options = plain_options();
    options.chat = true;
    options.instruction = "Judge.";
    icl_prompter *prompter = open_prompter(model, &options);
    icl_prompt prompt = { 0 };
    icl_answer answer = { 0 };
    assert_int_equal(icl_prompter_build(&prompt, prompter, three, 1, "two:", "q"), ICL_OK);
    assert_string_equal(prompt.text,
                        "<s>[system]Judge.[user]one:[assistant]good[user]two:[assistant]");
    assert_int_equal(prompt.tokens[0], BOS);
    assert_true(prompt.tokens[1] == '[');
    assert_int_equal(icl_prompter_answer(&answer, prompter, &prompt, "good"), ICL_OK);
    assert_int_equal(answer.prefix_count, prompt.token_count);
    assert_true(answer.tokens[0] == 'g'); /* no prefix inside a turn */
    icl_prompt_deinit(&prompt);
    icl_prompter_free(prompter);
    icl_model_close(model);
}

static void test_prompt__chat_without_a_template_is_refused(void **state)
{
    icl_model *model = open_toy(0, NULL);
    icl_prompter_options options = plain_options();
    icl_prompter *prompter = NULL;
    options.chat = true;
    assert_int_equal(icl_prompter_new(&prompter, model, &options), ICL_EUNSUPPORTED);
    assert_string_equal(icl_error_message(), "model \"toy.gguf\" carries no chat template");
    icl_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompt__demonstrations_stand_before_the_query),
        cmocka_unit_test(test_prompt__the_aligner_stands_between_demonstrations_and_query),
        cmocka_unit_test(test_prompt__joint_gives_a_crossing_token_to_the_answer),
        cmocka_unit_test(test_prompt__separate_keeps_the_prompt_whole),
        cmocka_unit_test(test_prompt__heal_scores_the_last_prompt_token_too),
        cmocka_unit_test(test_prompt__shared_tails_equal_whole_tokenisation),
        cmocka_unit_test(test_prompt__tokens_of_the_input_are_those_with_a_byte_of_it),
        cmocka_unit_test(test_prompt__an_input_that_the_chat_template_rewrites_is_refused),
        cmocka_unit_test(test_prompt__overflow_drops_by_policy),
        cmocka_unit_test(test_prompt__what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(test_prompt__chat_turns_follow_the_models_template_with_one_bos),
        cmocka_unit_test(test_prompt__chat_without_a_template_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
