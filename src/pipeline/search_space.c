/* What is searched where nothing else is asked for. What is cheap comes first: of equal strategies
 * the earlier one leads. Calibrations of one choice of demonstrations share all their prompts. Left
 * out are what asks the model to choose, and contextual calibration, which takes away what
 * demonstrations chosen for a query say (docs/results/scoring.md). */
#include "pipeline/search_state.h"

const char icl_search_default_space[] = "select=random(k=0) calibrate={none|batch|prior}\n"
                                        "select=balanced(k=8) calibrate={none|batch|prior}\n"
                                        "select=knn(k=4) calibrate={none|batch}\n"
                                        "select={bm25|cover-ls}(k=8) calibrate={none|batch}\n"
                                        "select=knn(k=8) calibrate={none|batch|prior}\n"
                                        "select={mmr|dpp}(k=8) calibrate={none|batch}\n"
                                        "select=knn(k=16) calibrate={none|batch}\n";
