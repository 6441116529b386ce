/* PPL: the label whose whole sequence - demonstrations, input and answer - the model finds least
 * surprising. With nll_t the surprise of token t of a sequence of L tokens, as OpenICL computes it:
 *
 *   all       CE = sum over t = 2..L of nll_t / L      the first token is predicted by nothing and
 *                                                      yet counts in L
 *   answer    CE = sum over the answer's tokens of nll_t / their number
 *   relative  the same, less what it is after `text`   OpenICL's normalizing_str
 *
 * The score is -CE, so that the perplexity is exp(-score). A long answer dilutes what the input
 * costs; that is the method's known bias and is kept. */
#include "score/score.h"

typedef enum span { SPAN_ALL, SPAN_ANSWER, SPAN_RELATIVE } span;

static icl_score_wants wants_ppl(const icl_options *options)
{
    static const unsigned parts[] = {
        [SPAN_ALL] = 1u << ICL_SCORE_WHOLE,
        [SPAN_ANSWER] = 1u << ICL_SCORE_ANSWER,
        [SPAN_RELATIVE] = 1u << ICL_SCORE_ANSWER | 1u << ICL_SCORE_UNCONDITIONAL,
    };
    return (icl_score_wants){ .parts = parts[icl_options_int(options, "span")],
                              .given = ICL_GIVEN_TEXT,
                              .text = icl_options_text(options, "text") };
}

static icl_status score_ppl(double *out, const icl_score_input *input, const icl_options *options)
{
    const span over = (span)icl_options_int(options, "span");
    const icl_score_term surprise = { over == SPAN_ALL ? ICL_SCORE_WHOLE : ICL_SCORE_ANSWER,
                                      ICL_NORMALISE_TOKENS, ICL_NAMES_BEST };
    const icl_score_term without = { ICL_SCORE_UNCONDITIONAL, ICL_NORMALISE_TOKENS,
                                     ICL_NAMES_BEST };
    icl_score_add(out, input, &surprise, 1);
    if (over == SPAN_RELATIVE) icl_score_add(out, input, &without, -1);
    return ICL_OK;
}

static const char *const spans[] = {
    [SPAN_ALL] = "all", [SPAN_ANSWER] = "answer", [SPAN_RELATIVE] = "relative", NULL
};

static const icl_option options[] = {
    { .name = "span",
      .type = ICL_OPTION_CHOICE,
      .fallback = "all",
      .choices = spans,
      .help = "tokens whose surprise counts: all, the answer's, or the answer's less what it is "
              "after `text`" },
    { .name = "text",
      .type = ICL_OPTION_TEXT,
      .fallback = "",
      .help = "of span=relative; empty: the beginning of a text" },
};

const icl_score_method icl_score_ppl = {
    .card = { .name = "ppl",
              .summary = "Perplexity of the whole sequence with each label in its place.",
              .paper = "Wu et al. 2023, \"OpenICL: An Open-Source Framework for In-context "
                       "Learning\"",
              .cost = "labels continuations per query after one prompt, all of whose tokens are "
                      "scored",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_ppl,
    .run = score_ppl,
};
