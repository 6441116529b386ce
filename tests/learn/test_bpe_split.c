/* The split of GPT-2, one rule of its pattern after the other. Random texts are compared with the
 * reference by golden/bpe_cases.jsonl (test_bpe.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "learn/bpe_split.h"

/* `words` separates the expected words with '|', which no text here holds. */
static void check(const char *words)
{
    char text[128];
    size_t ends[64], count = 0, length = 0;
    for (const char *at = words; *at != '\0'; at++) {
        if (*at == '|')
            ends[count++] = length;
        else
            text[length++] = *at;
    }
    ends[count++] = length;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        at = icl_bpe_word_end(text, length, at);
        if (at != ends[i]) fail_msg("\"%s\": word %zu ends at %zu, not %zu", words, i, at, ends[i]);
    }
}

static void test_split__words_take_one_blank_before_them(void **state)
{
    check("one| two| 3| ...| x");
    check(" one");
    check("a|1|b|22|.!|c");
}

static void test_split__contractions_stand_alone_in_lower_case(void **state)
{
    check("it|'s| we|'re| you|'ve| I|'m| they|'ll| he|'d| can|'t");
    check("IT|'|S| x|'|RE");
    check("'s|top");
    check("'|l| '|l");
    check("x| '|s| '|re");
    check("a|''|s");
    check("x|'|r");
    check("x|'");
}

static void test_split__white_space_leaves_its_last_for_the_next_word(void **state)
{
    check("a| | b");
    check("a|  | b");
    check("a|\n|b");
    check("a|\n|\n|b");
    check("a|  \n|\t|b");
    check("a|  \n| b");
    check("a|  ");
    check("a| ");
    check("\t|x");
    check("a|\xC2\xA0|b");
    check("a|\xE3\x80\x80|\xE3\x80\x80|b");
}

static void test_split__letters_and_numbers_are_unicodes(void **state)
{
    check("na\xC3\xAFve");
    check("\xE6\xBC\xA2\xE5\xAD\x97|12\xC2\xBD|!");
    check("e|\xCC\x81|x"); /* a combining accent is no letter */
    check("a|\xE2\x85\xA7| \xC2\xB2|b");
    check("a|\xE2\x80\x8B|b"); /* nor is U+200B white space */
    check("\xF0\x9F\x98\x80|a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split__words_take_one_blank_before_them),
        cmocka_unit_test(test_split__contractions_stand_alone_in_lower_case),
        cmocka_unit_test(test_split__white_space_leaves_its_last_for_the_next_word),
        cmocka_unit_test(test_split__letters_and_numbers_are_unicodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
