# What verifying a published log costs.
add_executable(bench_verify ${CMAKE_CURRENT_LIST_DIR}/bench_verify.c ${CMAKE_CURRENT_LIST_DIR}/../support/published.c)
target_include_directories(bench_verify PRIVATE ${CMAKE_CURRENT_LIST_DIR}/../support)
target_link_libraries(bench_verify PRIVATE signet signet_tlog)
