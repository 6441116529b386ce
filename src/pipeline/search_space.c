/* What is searched where nothing else is asked for. What is cheap comes first: of equal strategies
 * the earlier one leads. Calibrations of one choice of demonstrations share nearly all prompts. */
#include "pipeline/search_state.h"

const char icl_search_default_space[] = "select=random(k=0) calibrate={none|batch|contextual}\n"
                                        "select=balanced(k=8) calibrate={none|batch|contextual}\n"
                                        "select=knn(k=4) calibrate={none|batch}\n"
                                        "select=bm25(k=8) calibrate={none|batch}\n"
                                        "select=knn(k=8) calibrate={none|batch|contextual}\n"
                                        "select=knn(k=8) order=random calibrate={none|batch}\n"
                                        "select={mmr|dpp}(k=8) calibrate={none|batch}\n"
                                        "select=knn(k=16) calibrate={none|batch}\n";
