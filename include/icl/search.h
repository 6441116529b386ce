/* icl/search.h - the best strategy for the user's own data, within a budget of tokens.
 *
 *   icl_search_options options = icl_search_options_default();
 *   options.run.task = task;
 *   options.budget_tokens = 1000000;
 *   icl_search *search = NULL;
 *   icl_status status = icl_search_new(&search, engine, &options);   // reads, asks nothing
 *   if (status == ICL_OK) status = icl_search_execute(search, NULL);
 *   if (status == ICL_OK) puts(icl_search_candidate_at(search, 0).strategy);
 *   icl_search_free(search);
 *
 * Queries are drawn from the training file, stratified by label; each is asked with all other
 * examples as its pool, so that demonstrations are chosen among as many as a run will have. A
 * strategy that fits something to the labels of its pool (questions to the model to choose or order
 * demonstrations, a trained method, labelled anchors, a calibration on labelled items) is given a
 * pool apart from the queries. The test file is never opened. Strategies are halved in rounds: each
 * round asks all that remain about the same, growing number of queries as one batch, so that they
 * share the trie, and drops those that are behind.
 */
#ifndef ICL_SEARCH_H
#define ICL_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/engine.h>
#include <icl/run.h>
#include <icl/status.h>
#include <icl/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** This many at most are queries. */
#define ICL_SEARCH_VALIDATION_MAX 1000

/** What is searched; see icl_search_options_default(). */
typedef struct icl_search_options {
    const char *space_path; /**< a strategy a line, {a|b} are alternatives; NULL: built in */
    uint64_t budget_tokens; /**< of the trie; never exceeded */
    /** Queries; 0: all of the data, half of it where a strategy fits its pool, at most
     *  ICL_SEARCH_VALIDATION_MAX. */
    size_t validation_max;
    /** Task, seed and how prompts are made; strategy, limit, data and zero_shot are not looked at.
     */
    icl_run_options run;
} icl_search_options;

/** The built-in space, 1,000,000 tokens, a run's defaults. */
ICL_API icl_search_options icl_search_options_default(void);

/** A search: its space and data and, once executed, its leaderboard. */
typedef struct icl_search icl_search;

/**
 * Reads the space and the training file and draws the queries. Asks the model nothing.
 *
 * @param[out] out  yours: icl_search_free; untouched on failure
 * @param engine  borrowed until icl_search_free; with a journal, which keeps answers between
 *   rounds. The search opens its account.
 * @return ICL_OK; ICL_EINVAL: no strategy in the space, or the training file has fewer than two
 *   labels with two examples each; what the space ("FILE:LINE: ") or the data refuse
 */
ICL_API icl_status icl_search_new(icl_search **out, icl_engine *engine,
                                  const icl_search_options *options);
/** NULL is fine. */
ICL_API void icl_search_free(icl_search *search);

/** When a search reports. */
typedef enum icl_search_event {
    ICL_SEARCH_PREPARES, /**< demonstrations are chosen and the next round is priced */
    ICL_SEARCH_BEGINS,   /**< a round is about to ask; its price is known */
    ICL_SEARCH_ENDS,     /**< a round is over; the leaderboard stands */
} icl_search_event;

/** Called while a search executes. */
typedef struct icl_search_progress {
    void (*say)(void *user, const icl_search *search, icl_search_event event); /**< required */
    void *user;                                                                /**< given to say */
} icl_search_progress;

/**
 * Runs the rounds.
 *
 * - The first round may spend a third of the budget, since few queries drop good strategies by
 *   chance; a later one an equal share of what is left, one for each halving to come. A round takes
 *   as many queries as that buys, always at least half as many more as the round before where the
 *   budget allows it at all.
 * - After a round the metric's paired bootstrap over its queries says how likely each strategy is
 *   better than the leader. Behind, and dropped, are those less likely than 1 in 50, and, while
 *   there are more than two, those of the worse half less likely than 35 in 100. Of equal
 *   strategies the earlier in the space leads.
 * - It ends when one strategy remains, all queries are used, or the budget buys less than an eighth
 *   as many again.
 * - A strategy that cannot run on this data, or that in the first round asks for more than its
 *   share to choose demonstrations, is left out, and so are the most expensive ones where the
 *   budget does not hold all; icl_search_candidate.reason says why.
 *
 * Same inputs, seed and budget: same leaderboard, also when it was interrupted between and goes on
 * from the engine's journal.
 *
 * @param progress  borrowed during the call; NULL: nothing is said
 * @return ICL_OK; ICL_EBUDGET: too small for one strategy, the sentence names the least budget;
 *   ICL_ECANCELLED; what a run's methods, prompts or model refuse, with the strategy
 * Paper: Karnin et al. 2013, "Almost Optimal Exploration in Multi-Armed Bandits" (sequential
 *   halving); Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification and
 *   Hyperparameter Optimization".
 */
ICL_API icl_status icl_search_execute(icl_search *search, const icl_search_progress *progress);

/** One round. */
typedef struct icl_search_round {
    size_t query_count;      /**< the first so many of the drawn queries */
    size_t candidate_count;  /**< strategies that took part */
    size_t dropped_count;    /**< of them dropped after it */
    uint64_t tokens_planned; /**< what the round was said to cost */
    uint64_t tokens_left;    /**< of the budget, before the round */
} icl_search_round;

/** What became of a strategy. */
typedef enum icl_search_fate {
    ICL_SEARCH_LEADS,    /**< the winner, in the end */
    ICL_SEARCH_REMAINS,  /**< not behind */
    ICL_SEARCH_DROPPED,  /**< behind after its last round */
    ICL_SEARCH_LEFT_OUT, /**< took part in no round, or not in the next */
} icl_search_fate;

/** One strategy; pointers borrowed from the search. Figures are of its last round; without a round
 *  they are 0. */
typedef struct icl_search_candidate {
    const char *strategy; /**< in canonical form */
    const char *brief;    /**< the same by icl_strategy_brief */
    icl_search_fate fate;
    const char *reason;   /**< why it was left out; "" otherwise */
    size_t round_count;   /**< rounds it took part in */
    size_t query_count;   /**< of its last round */
    icl_metrics metrics;  /**< on those */
    double value;         /**< the task's metric */
    double value_ci95[2]; /**< its interval: Wilson's of an accuracy, else by bootstrap */
    /** Its metric less the leader's on the same queries, and the interval of that: paired
     *  bootstrap, 95 %. 0 for the leader. */
    double difference, difference_ci95[2];
    double better;           /**< share of resamples in which it is better, ties half */
    double tokens_per_query; /**< of its own trie */
} icl_search_candidate;

/** All about a search; pointers borrowed from it. */
typedef struct icl_search_summary {
    const char *task;
    const char *model;          /**< description */
    const char *model_identity; /**< hash of the file */
    icl_metric metric;          /**< strategies are compared by */
    uint64_t seed;
    size_t train_count;      /**< labelled examples */
    size_t pool_count;       /**< a query's demonstrations are chosen among these: all but it */
    size_t pool_apart_count; /**< the same for strategies that fit their pool; 0: there is none */
    size_t validation_count; /**< queries drawn */
    size_t label_count;
    const char *const *unseen; /**< [unseen_count] labels that no query of the last round has */
    size_t unseen_count;
    size_t candidate_count; /**< strategies of the space */
    size_t round_count;
    uint64_t budget_tokens;
    /** Tokens of the trie of all that was asked, to choose demonstrations too; what a journal knew
     *  from an interrupted search is counted. */
    uint64_t tokens_spent;
    /**
     * How much better the chosen strategy is expected to be after spending twice as much, in units
     * of the metric: the value of as many queries again. With c over all strategies that took part,
     * d_c the difference to the winner on c's queries, and D_cb its bootstrap resamples b,
     *
     *     gain = mean_b max(0, max_c (d_c + (D_cb - mean_b D_cb) / sqrt(2)))
     *
     * since an estimate whose variance is V becomes, by doubling its sample, one of variance V/2,
     * and so moves with the other V/2. Strategies of one round are resampled together. Raiffa and
     * Schlaifer 1961, "Applied Statistical Decision Theory" (expected value of sample information).
     */
    double gain_of_doubling;
    /**
     * What the winner is expected to reach on new queries. Its own figure is too high, since the
     * queries that it is taken on have chosen it: with w the winner, c_b the strategy that is
     * furthest ahead of w in resample b of w's queries, or w itself, n_c the queries that c and w
     * share, and v' the metric on those of them that the resample lacks,
     *
     *     expected = v_w - max(0, mean_b n_cb / n_w (v'_w - v'_cb))
     *
     * Tsamardinos et al. 2018, "Bootstrapping the out-of-sample predictions for efficient and
     * accurate cross-validation"; the factor is ours: what was dropped early can have made lucky
     * only the queries that it was asked. On simulated searches it is off by -1.3 to 0.7 points where
     * the winner's own figure is 2 to 4 points too high; tests/pipeline/test_search_claim.c.
     */
    double value_expected;
    bool queries_exhausted; /**< spending more takes more labelled examples */
} icl_search_summary;

/** Borrowed; complete after icl_search_execute. */
ICL_API const icl_search_summary *icl_search_get_summary(const icl_search *search);
/** Rounds so far; index below round_count (asserted). */
ICL_API icl_search_round icl_search_round_at(const icl_search *search, size_t index);
/** The leaderboard, best first: the leader, those that remain by the metric, those dropped, last
 *  round first, those left out. rank below candidate_count (asserted). */
ICL_API icl_search_candidate icl_search_candidate_at(const icl_search *search, size_t rank);

#ifdef __cplusplus
}
#endif
#endif
