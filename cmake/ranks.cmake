# Who may include whom. A folder sees itself, every folder of a lower rank, and the public headers
# that those implement. Folders on one line are siblings: they do not see each other.
set(ICL_RANKS
    "base"
    "math"
    "data"
    "model index"
    "engine template learn"
    "score"
    "select reformat order instruct"
    "pipeline"
    "train analyze apply vision multimodal"
    "report")

# Public header, below include/icl/ -> the folder that implements it. One that is missing here
# belongs to "pipeline".
set(ICL_HEADER_FOLDERS
    status.h base
    text.h base
    card.h base
    dataset.h data
    task.h data
    metrics.h data
    data.h data
    model.h model
    sys/model.h model
    embed.h model
    index.h index
    engine.h engine
    request.h engine
    meter.h engine
    plan.h engine
    template.h template
    prompt.h template
    score.h score
    calibrate.h score
    select.h select
    reformat.h reformat
    order.h order
    instruct.h instruct
    train.h train
    annotate.h apply
    methods.h report
    report.h report)

# Rank of a folder, from 0; a folder that nobody ranked is an error.
function(icl_rank_of out folder)
    set(rank 0)
    foreach(line IN LISTS ICL_RANKS)
        separate_arguments(siblings UNIX_COMMAND "${line}")
        if(folder IN_LIST siblings)
            set(${out} ${rank} PARENT_SCOPE)
            return()
        endif()
        math(EXPR rank "${rank} + 1")
    endforeach()
    message(FATAL_ERROR "src/${folder} has no rank; give it one in cmake/ranks.cmake")
endfunction()

# The folder that implements a public header.
function(icl_folder_of_header out header)
    list(FIND ICL_HEADER_FOLDERS "${header}" at)
    if(at EQUAL -1)
        set(${out} pipeline PARENT_SCOPE)
    else()
        math(EXPR at "${at} + 1")
        list(GET ICL_HEADER_FOLDERS ${at} folder)
        set(${out} ${folder} PARENT_SCOPE)
    endif()
endfunction()

function(icl_link_into stage name target)
    get_filename_component(directory "${stage}/${name}" DIRECTORY)
    file(MAKE_DIRECTORY "${directory}")
    file(CREATE_LINK "${target}" "${stage}/${name}" SYMBOLIC)
endfunction()

# Stages <build>/ranks/<folder>, the only include path of that folder: links to what it may see.
# `headers` are relative to include/icl.
function(icl_stage_rank folder all_folders headers)
    set(stage "${PROJECT_BINARY_DIR}/ranks/${folder}")
    file(REMOVE_RECURSE "${stage}")
    file(MAKE_DIRECTORY "${stage}/icl")
    icl_rank_of(rank ${folder})
    foreach(other IN LISTS all_folders)
        icl_rank_of(other_rank ${other})
        if(other STREQUAL folder OR other_rank LESS rank)
            icl_link_into("${stage}" ${other} "${PROJECT_SOURCE_DIR}/src/${other}")
        endif()
    endforeach()
    foreach(header IN LISTS headers)
        icl_folder_of_header(owner "${header}")
        icl_rank_of(owner_rank ${owner})
        if(owner STREQUAL folder OR owner_rank LESS rank)
            icl_link_into("${stage}/icl" "${header}" "${PROJECT_SOURCE_DIR}/include/icl/${header}")
        endif()
    endforeach()
endfunction()
