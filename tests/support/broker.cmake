# The broker in the process of a test: broker_case.c, and the calls that it answers itself.
include_guard(GLOBAL)
add_library(signet_broker_case STATIC ${CMAKE_CURRENT_LIST_DIR}/broker_case.c)
target_include_directories(signet_broker_case PUBLIC ${CMAKE_CURRENT_LIST_DIR} ${PROJECT_SOURCE_DIR}/daemon
	${PROJECT_SOURCE_DIR}/daemon/signetd)
target_link_libraries(signet_broker_case PUBLIC signet_broker PkgConfig::P11KIT Threads::Threads)
target_link_options(signet_broker_case INTERFACE
	-Wl,--wrap=identity_of -Wl,--wrap=uv_spawn -Wl,--wrap=ledger_submit -Wl,--wrap=ledger_available)
