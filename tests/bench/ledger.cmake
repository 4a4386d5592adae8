# What a claim and its record cost; included by tests/bench/CMakeLists.txt.
add_executable(bench_ledger ${CMAKE_CURRENT_LIST_DIR}/bench_ledger.c)
target_link_libraries(bench_ledger PRIVATE signet_ledger)
# What a large log costs.
add_executable(bench_log ${CMAKE_CURRENT_LIST_DIR}/bench_log.c)
target_link_libraries(bench_log PRIVATE signet_ledger)
