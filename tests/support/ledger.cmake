# A log in a temporary folder and a disk that fails on request, for tests in any room.
include_guard(GLOBAL)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
add_library(signet_ledger_case STATIC ${CMAKE_CURRENT_LIST_DIR}/ledger_case.c
	${CMAKE_CURRENT_LIST_DIR}/bad_disk.c ${CMAKE_CURRENT_LIST_DIR}/tiles_case.c)
target_include_directories(signet_ledger_case PUBLIC ${CMAKE_CURRENT_LIST_DIR}
	${PROJECT_SOURCE_DIR}/tests/unit)
target_link_libraries(signet_ledger_case PUBLIC signet_ledger PkgConfig::SQLITE PkgConfig::CRYPTO
	PkgConfig::CMOCKA Threads::Threads)
