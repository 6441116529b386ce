/* icl/lines.h - requests and answers as JSON lines.
 *
 *   icl_lines_options options = icl_lines_options_default();
 *   icl_lines_counts counts = { 0 };
 *   icl_status status = icl_lines_score(engine, stdin, stdout, &options, &counts);
 */
#ifndef ICL_LINES_H
#define ICL_LINES_H

#include <stddef.h>
#include <stdio.h>

#include <icl/engine.h>
#include <icl/run.h>
#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How much is read before the model is asked; larger batches share more prefixes. */
typedef struct icl_lines_options {
    size_t batch_lines;  /**< at least 1; 1 answers each line before the next one is read */
    size_t batch_tokens; /**< about so many tokens of one batch */
} icl_lines_options;

/** 4096 lines, 524288 tokens: some 50 MB. */
ICL_API icl_lines_options icl_lines_options_default(void);

/** What a filter saw. */
typedef struct icl_lines_counts {
    size_t lines;  /**< read, blank ones included */
    size_t scored; /**< answered */
    size_t bad;    /**< answered with an error */
} icl_lines_counts;

/**
 * Answers every line of a stream in its order, with memory bounded by the options.
 *
 * A line is {"id": .., "prefix": text, "continuation": text} or {"id": .., "prefix_tokens": [..],
 * "continuation_tokens": [..]}; other fields are passed over, blank lines are skipped. Texts are
 * tokenised together, a token across their join belongs to the continuation, and BOS is put before
 * the prefix when the model wants one; token ids are taken as they are. An answer is {"id",
 * "logprob", "token_logprobs", "greedy"} in nats. A line that cannot be answered gives {"id",
 * "error"}, or
 * {"id": null, "line": N, "error"} when its id could not be read, and the others go on.
 *
 * @param in, out  borrowed, left open; `out` is flushed after every batch
 * @param[out] out_counts  filled on failure too; may be NULL
 * @return ICL_OK, also with bad lines; ICL_EIO: reading or writing failed; ICL_EMODEL; ICL_ENOMEM;
 *   ICL_ECANCELLED: interrupted, all batches before this one are written
 */
ICL_API icl_status icl_lines_score(icl_engine *engine, FILE *in, FILE *out,
                                   const icl_lines_options *options, icl_lines_counts *out_counts);

/**
 * Every request of a run as {"id", "prefix_tokens", "continuation_tokens"}, a line each.
 * @return ICL_OK; ICL_EIO: writing failed; ICL_ENOMEM
 */
ICL_API icl_status icl_lines_write_requests(icl_run *run, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
