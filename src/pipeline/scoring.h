/* pipeline/scoring.h - rows to score: what a score method wants to know about a query, as requests
 * of one batch, and the answers as the method reads them.
 *
 *   icl_scoring *scoring = NULL;
 *   status = icl_scoring_new(&scoring, &source, template, &wants);
 *   status = icl_scoring_add(scoring, &shown, &row);              // for each row; asks nothing
 *   status = icl_engine_run(engine, icl_scoring_batch(scoring));
 *   status = icl_scoring_collect(scoring);
 *   status = icl_score_run(scores, method, icl_scoring_answers(scoring), &options);
 *   icl_scoring_free(scoring);
 *
 * A row is a query of the run or whatever is scored like one: a query without demonstrations, a
 * content-free input, a random text, a validation item. Rows are asked together, and a row's
 * answers depend on that row alone.
 *
 * Which tokens are scored, by part:
 *   answer, answer-each  the words after the prompt, by the join policy of the prompter options
 *   whole                every token of prompt and answer but the first (BOS, where there is one)
 *   input, input-each    the prompt with answer before input, see template/flip.h; what follows the
 *                        last answer is scored, its leading blanks included
 *   next, hidden         none: what the model expects after the prompt, and its state there
 *   unconditional        the words after the given text, which stands for the input; without
 *                        demonstrations there is no instruction either
 */
#ifndef ICL_PIPELINE_SCORING_H
#define ICL_PIPELINE_SCORING_H

#include <icl/engine.h>

#include "pipeline/ask.h"
#include "score/score.h"
#include "template/jinja.h"

typedef struct icl_scoring icl_scoring;

/* Borrows source, template and wants' text until icl_scoring_free; *out is yours. ICL_EINVAL: a
 * premise of a template that ends with its input, content-free text of one without a slot. */
icl_status icl_scoring_new(icl_scoring **out, const icl_ask_source *source,
                           const icl_jinja *template, const icl_score_wants *wants);
void icl_scoring_free(icl_scoring *scoring);

/* Adds a row and makes its requests; rows count from 0. shown->items is copied, shown->name is
 * borrowed until icl_scoring_free. As icl_prompter_build. */
icl_status icl_scoring_add(icl_scoring *scoring, const icl_shown *shown, size_t *out_row);

/* After the last row: the labelled pool items that the method compares rows with, as requests of
 * the same batch. Which ones depends on the row, the seed and the task alone. ICL_EINVAL: no
 * labelled item is left for a row. */
icl_status icl_scoring_add_anchors(icl_scoring *scoring, uint64_t seed);

/* The requests of all rows. Borrowed. */
icl_batch *icl_scoring_batch(icl_scoring *scoring);

/* What the window left of a row's demonstrations: pool indices in order of showing. Borrowed. */
const size_t *icl_scoring_shown(const icl_scoring *scoring, size_t row, size_t *out_count);
/* Hash over the bytes of a row's own prompts. */
const char *icl_scoring_prompt_hash(const icl_scoring *scoring, size_t row);
/* Answers whose first token crosses the join, over all rows. */
size_t icl_scoring_joins_merged(const icl_scoring *scoring);

/* Which row a request serves; the first one, where rows share it or its anchors. */
size_t icl_scoring_request_row(const icl_scoring *scoring, size_t request);
/* The part that it is a request of. */
icl_score_part icl_scoring_request_part(const icl_scoring *scoring, size_t request);
/* Appends the rest of its name: "<label>[/<name index>]" or nothing for a part about the prompt
 * alone, where it serves another part than the answer "<part>/" before it, and there "<i>/" for the
 * i-th demonstration alone. An anchor's begins with "anchor-<pool id>/". */
void icl_scoring_describe_request(icl_text *out, const icl_scoring *scoring, size_t request);

/* Reads the answers of the executed batch. ICL_ENOMEM. */
icl_status icl_scoring_collect(icl_scoring *scoring);
/* What icl_score_run takes, all rows but the anchors; valid after icl_scoring_collect. Borrowed. */
const icl_score_input *icl_scoring_answers(const icl_scoring *scoring);

#endif
