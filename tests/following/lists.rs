//! What other tailers test, and where it is tested here.
//!
//! Each list holds the names that its project gives its tests; each name has a row in the table below it, with the tests that hold it here, or a
//! sentence that says why it does not apply. A test sees to it that no name is without a row, and that every test named here exists.

use std::fs;
use std::path::{Path, PathBuf};

/// What becomes of a case here.
enum Here {
    /// These tests hold it: the module and the function.
    Held(&'static [&'static str]),
    /// It does not apply, for this reason.
    Not(&'static str),
}

use Here::{Held, Not};

type Table = &'static [(&'static str, Here)];

/// No positions are kept: what survives a restart is decided where the state directory is.
const NO_STATE: &str = "without a state directory no position survives the daemon; a file begins at --from after every start";

/// GNU tail: `tests/tail/*` of coreutils.
const GNU_TAIL: &[&str] = &[
    "inotify-rotate.sh",
    "inotify-rotate-resources.sh",
    "F-vs-rename.sh",
    "descriptor-vs-rename.sh",
    "follow-name.sh",
    "wait.sh",
    "retry.sh",
    "F-vs-missing.sh",
    "inotify-dir-recreate.sh",
    "inotify-race.sh",
    "inotify-race2.sh",
    "truncate.sh",
    "symlink.sh",
    "follow-symlink.sh",
    "append-only.sh",
    "assert.sh",
    "assert-2.sh",
    "inotify-hash-abuse.sh",
    "inotify-hash-abuse2.sh",
    "overlay-headers.sh",
    "follow-stdin.sh",
    "pipe-f.sh",
    "pipe-f2.sh",
    "pid-pipe.sh",
    "tail-n0f.sh",
    "flush-initial.sh",
    "big-4gb.sh",
    "tail-c.sh",
    "tail-sysfs.sh",
    "proc-ksyms.sh",
    "inotify-only-regular.sh",
];

const GNU_TAIL_HERE: Table = &[
    ("inotify-rotate.sh", Held(&["following::torture::a_file_that_is_moved_over_by_another_one_again_and_again"])),
    ("inotify-rotate-resources.sh", Held(&["following::watching::rotations_leave_no_watches_and_no_descriptors_behind"])),
    ("F-vs-rename.sh", Held(&["following::files::files_renamed_onto_each_other_go_on_under_their_names"])),
    ("descriptor-vs-rename.sh", Held(&["following::files::late_lines_of_a_renamed_file_come_and_then_it_is_closed"])),
    ("follow-name.sh", Held(&["following::sources::what_cannot_be_read_waits_and_says_why"])),
    (
        "wait.sh",
        Held(&[
            "following::sources::what_cannot_be_read_waits_and_says_why",
            "following::watching::when_nothing_happens_it_does_next_to_nothing",
        ]),
    ),
    (
        "retry.sh",
        Held(&[
            "following::old_lines::a_file_that_appears_later_is_new_from_its_first_byte",
            "following::sources::a_change_of_state_is_said_once_however_long_it_lasts",
        ]),
    ),
    ("F-vs-missing.sh", Held(&["following::sources::what_cannot_be_read_waits_and_says_why"])),
    ("inotify-dir-recreate.sh", Held(&["following::torture::a_directory_that_is_removed_and_made_again"])),
    (
        "inotify-race.sh",
        Held(&[
            "following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text",
            "following::torture::a_file_that_is_renamed_and_made_anew",
        ]),
    ),
    ("inotify-race2.sh", Held(&["following::torture::a_file_that_is_replaced_while_the_daemon_starts"])),
    (
        "truncate.sh",
        Held(&[
            "following::torture::a_file_that_is_truncated_and_grows_again",
            "following::files::a_file_that_is_rewritten_with_the_same_size_is_told",
        ]),
    ),
    (
        "symlink.sh",
        Held(&[
            "following::torture::a_link_that_is_led_to_another_file",
            "following::sources::what_cannot_be_read_waits_and_says_why",
        ]),
    ),
    (
        "follow-symlink.sh",
        Held(&["following::torture::a_link_that_is_led_to_another_file", "following::torture::a_rotation_behind_a_link"]),
    ),
    ("append-only.sh", Held(&["following::torture::a_file_that_may_only_grow"])),
    (
        "assert.sh",
        Held(&[
            "source::file::tests::so_does_one_that_is_closed_whenever_it_is_idle",
            "following::torture::a_file_that_is_deleted_and_made_again",
        ]),
    ),
    ("assert-2.sh", Held(&["following::torture::a_file_that_is_deleted_and_made_again", "following::scale::pods_come_and_go"])),
    ("inotify-hash-abuse.sh", Held(&["following::torture::files_that_come_and_go_under_the_same_names_many_times"])),
    ("inotify-hash-abuse2.sh", Held(&["following::torture::files_that_come_and_go_under_the_same_names_many_times"])),
    ("overlay-headers.sh", Held(&["following::torture::two_files_written_in_turn_while_the_daemon_is_stopped"])),
    (
        "follow-stdin.sh",
        Held(&[
            "integration::command_line::standard_input_that_cannot_be_read_is_refused",
            "integration::stop::without_exit_on_eof_it_goes_on_serving_what_it_holds",
        ]),
    ),
    (
        "pipe-f.sh",
        Held(&[
            "integration::stop::with_exit_on_eof_it_ends_when_the_input_does",
            "integration::output::a_reader_of_standard_output_that_goes_away_ends_the_copying_alone",
        ]),
    ),
    (
        "pipe-f2.sh",
        Held(&[
            "following::pipes::writers_come_and_go_for_ever",
            "following::pipes::before_the_first_writer_it_waits_and_costs_nothing",
        ]),
    ),
    ("pid-pipe.sh", Held(&["following::pipes::a_daemon_that_waits_for_its_first_writer_stops_at_once"])),
    ("tail-n0f.sh", Held(&["following::watching::when_nothing_happens_it_does_next_to_nothing"])),
    ("flush-initial.sh", Held(&["following::old_lines::a_client_of_the_first_moment_has_the_last_lines_at_once"])),
    (
        "big-4gb.sh",
        Held(&["following::files::offsets_beyond_four_gibibytes", "following::files::the_last_lines_beyond_four_gibibytes"]),
    ),
    ("tail-c.sh", Not("a stream is made of lines: there is no option that counts bytes of a file")),
    ("tail-sysfs.sh", Not("it reads the last lines of a file of the kernel once; what does not grow is nothing to follow")),
    ("proc-ksyms.sh", Not("it reads the last lines of a file of the kernel once; what does not grow is nothing to follow")),
    ("inotify-only-regular.sh", Held(&["following::sources::what_is_no_source_is_refused_with_a_hint"])),
];

/// Fluent Bit: `tests/integration/scenarios/in_tail`, and `tests/runtime/in_tail.c`.
const FLUENT_BIT: &[&str] = &[
    "follows_rename_rotation",
    "handles_multiple_rename_rotations",
    "handles_copytruncate_with_stale_writer",
    "handles_symlink_target_rotation",
    "stat_backend_covers_nfs_style_polling",
    "rotate_wait_keeps_old_inode_then_purges_it",
    "delete_and_recreate_same_path_is_reingested",
    "restart_resumes_from_db_offset",
    "copytruncate_across_restart_reads_new_content_only",
    "partial_line_across_restart_is_completed_once",
    "multi_file_rapid_rotation",
    "skip_long_lines_keeps_surrounding_records",
    "truncate_long_lines",
    "discovers_file_after_permissions_are_restored",
    "newly_discovered_files_can_start_from_tail",
    "db_compare_filename_replays_renamed_file_after_restart",
    "ignore_active_older_files_resumes_updated_file",
    "truncate_long_lines_utf8",
    "inotify_pause_collectors",
    "db_delete_stale_file",
    "skip_empty_lines_crlf",
];

const FLUENT_BIT_HERE: Table = &[
    ("follows_rename_rotation", Held(&["following::torture::a_file_that_is_renamed_and_made_anew"])),
    ("handles_multiple_rename_rotations", Held(&["following::torture::two_and_three_renames_between_two_looks"])),
    (
        "handles_copytruncate_with_stale_writer",
        Held(&["following::torture::a_file_that_is_copied_and_truncated_whose_writer_keeps_its_offset"]),
    ),
    (
        "handles_symlink_target_rotation",
        Held(&[
            "following::torture::a_link_that_is_led_to_another_file",
            "following::torture::the_data_directory_of_kubernetes_is_swapped",
        ]),
    ),
    (
        "stat_backend_covers_nfs_style_polling",
        Held(&["following::watching::polling_follows_everything_and_asks_the_kernel_for_nothing"]),
    ),
    (
        "rotate_wait_keeps_old_inode_then_purges_it",
        Held(&[
            "following::files::late_lines_of_a_renamed_file_come_and_then_it_is_closed",
            "following::files::the_space_of_a_deleted_file_is_given_back",
        ]),
    ),
    ("delete_and_recreate_same_path_is_reingested", Held(&["following::torture::a_file_that_is_deleted_and_made_again"])),
    ("restart_resumes_from_db_offset", Not(NO_STATE)),
    ("copytruncate_across_restart_reads_new_content_only", Not(NO_STATE)),
    ("partial_line_across_restart_is_completed_once", Held(&["following::files::a_partial_line_is_not_given_at_the_stop"])),
    ("multi_file_rapid_rotation", Held(&["following::torture::several_files_that_are_rotated_fast"])),
    (
        "skip_long_lines_keeps_surrounding_records",
        Held(&[
            "following::files::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two",
            "integration::output::a_long_line_is_told_once",
        ]),
    ),
    ("truncate_long_lines", Held(&["following::files::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two"])),
    (
        "discovers_file_after_permissions_are_restored",
        Held(&[
            "following::torture::a_file_whose_rights_go_and_come_back",
            "following::old_lines::a_file_that_may_be_read_only_later_begins_where_the_user_says",
        ]),
    ),
    (
        "newly_discovered_files_can_start_from_tail",
        Not("a file that appears is new from its first byte, always: starting at its end would lose lines"),
    ),
    ("db_compare_filename_replays_renamed_file_after_restart", Not(NO_STATE)),
    (
        "ignore_active_older_files_resumes_updated_file",
        Not("files are not left out for their age: an idle one costs no descriptor"),
    ),
    ("truncate_long_lines_utf8", Held(&["framing::long_lines_are_cut_between_characters"])),
    ("inotify_pause_collectors", Not("reading is never paused: a slow client costs a cursor and a socket")),
    ("db_delete_stale_file", Held(&["pipeline::lanes::a_channel_without_a_path_is_forgotten_after_an_hour"])),
    (
        "skip_empty_lines_crlf",
        Held(&["following::files::empty_lines_are_events", "following::torture::lines_that_end_in_cr_and_lf"]),
    ),
];

/// OpenTelemetry: `rotation_test.go` and `file_test.go` of `pkg/stanza/fileconsumer`.
const OPEN_TELEMETRY: &[&str] = &[
    "TestMultiFileRotate",
    "TestMultiFileRotateSlow",
    "TestMultiCopyTruncateSlow",
    "TestRotation/NoRotation/MoveCreate",
    "TestRotation/NoRotation/CopyTruncate",
    "TestRotation/NoDeletion/MoveCreateTimestamped",
    "TestRotation/NoDeletion/MoveCreateSequential",
    "TestRotation/NoDeletion/CopyTruncateTimestamped",
    "TestRotation/NoDeletion/CopyTruncateSequential",
    "TestRotation/Deletion",
    "TestRotation/Deletion/ExceedFingerprint",
    "TestMoveFile",
    "TestTrackMovedAwayFiles",
    "TestTruncateThenWrite",
    "TestCopyTruncateWriteBoth",
    "TestFileMovedWhileOff_BigFiles",
    "TestFileMovedWhileOff_SmallFiles",
    "TestSplitWrite",
    "TestLeadingEmpty",
    "TestIgnoreEmptyFiles",
    "TestDecodeBufferIsResized",
    "TestManyLogsDelivered",
    "TestRestartOffsets",
    "TestFileBatching",
    "TestFileBatchingRespectsStartAtEnd",
    "TestEncodings",
    "TestMultiFileParallel_PreloadedFiles",
    "TestMultiFileParallel_LiveFiles",
];

const OPEN_TELEMETRY_HERE: Table = &[
    ("TestMultiFileRotate", Held(&["following::torture::several_files_that_are_rotated_fast"])),
    (
        "TestMultiFileRotateSlow",
        Held(&[
            "following::torture::several_files_that_are_rotated_fast",
            "following::scale::late_lines_of_many_rotated_files_come_as_long_as_there_are_descriptors",
        ]),
    ),
    ("TestMultiCopyTruncateSlow", Held(&["following::files::copytruncate_under_a_glob_that_matches_the_copies"])),
    ("TestRotation/NoRotation/MoveCreate", Held(&["following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text"])),
    ("TestRotation/NoRotation/CopyTruncate", Held(&["following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text"])),
    (
        "TestRotation/NoDeletion/MoveCreateTimestamped",
        Held(&["following::torture::a_file_that_is_renamed_and_made_anew", "following::tools::logrotate_creates"]),
    ),
    (
        "TestRotation/NoDeletion/MoveCreateSequential",
        Held(&["following::torture::a_file_that_is_renamed_and_made_anew", "following::tools::logrotate_creates"]),
    ),
    (
        "TestRotation/NoDeletion/CopyTruncateTimestamped",
        Held(&["following::torture::a_file_that_is_copied_and_truncated", "following::tools::logrotate_copies_and_truncates"]),
    ),
    (
        "TestRotation/NoDeletion/CopyTruncateSequential",
        Held(&["following::torture::a_file_that_is_copied_and_truncated", "following::tools::logrotate_copies_and_truncates"]),
    ),
    (
        "TestRotation/Deletion",
        Held(&[
            "following::torture::a_file_that_is_deleted_and_made_again",
            "following::torture::a_file_that_is_copied_elsewhere_and_truncated",
        ]),
    ),
    (
        "TestRotation/Deletion/ExceedFingerprint",
        Not(
            "files are not known by their first bytes: the inode, the time of making and the bytes before the offset tell them apart",
        ),
    ),
    ("TestMoveFile", Held(&["following::files::rapid_rotation_by_rename_under_a_glob_that_matches_the_rotated_names"])),
    ("TestTrackMovedAwayFiles", Held(&["following::torture::a_directory_that_is_removed_and_made_again"])),
    ("TestTruncateThenWrite", Held(&["following::torture::a_file_that_is_truncated_and_grows_again"])),
    ("TestCopyTruncateWriteBoth", Held(&["following::files::copytruncate_under_a_glob_that_matches_the_copies"])),
    ("TestFileMovedWhileOff_BigFiles", Not(NO_STATE)),
    ("TestFileMovedWhileOff_SmallFiles", Not(NO_STATE)),
    (
        "TestSplitWrite",
        Held(&[
            "following::torture::a_line_that_is_finished_later",
            "following::files::every_split_of_awkward_bytes_gives_the_same_lines",
        ]),
    ),
    ("TestLeadingEmpty", Held(&["following::files::empty_lines_are_events"])),
    ("TestIgnoreEmptyFiles", Held(&["following::old_lines::an_empty_file_has_no_old_lines_and_its_first_one_is_new"])),
    ("TestDecodeBufferIsResized", Held(&["following::files::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two"])),
    ("TestManyLogsDelivered", Held(&["following::tools::logrotate_creates"])),
    ("TestRestartOffsets", Not(NO_STATE)),
    ("TestFileBatching", Held(&["following::scale::five_thousand_files_are_followed_with_256_descriptors"])),
    ("TestFileBatchingRespectsStartAtEnd", Held(&["following::old_lines::old_lines_of_many_files_are_all_there"])),
    ("TestEncodings", Held(&["following::files::bytes_that_are_not_utf8_are_shown_as_such"])),
    ("TestMultiFileParallel_PreloadedFiles", Held(&["following::old_lines::old_lines_of_many_files_are_all_there"])),
    ("TestMultiFileParallel_LiveFiles", Held(&["following::scale::five_thousand_files_are_followed_with_256_descriptors"])),
];

/// Vector: `lib/file-source` and `src/sources/file.rs`.
const VECTOR: &[&str] = &[
    "experiment",
    "experiment_no_truncations",
    "test_single_byte_delimiter_boundary",
    "qc_read_until_with_max_size",
    "test_checksum_fingerprint",
    "no_error_on_dir",
    "file_truncate",
    "file_rotate",
    "file_read_empty_lines",
    "file_max_line_bytes",
    "test_fair_reads",
    "test_oldest_first",
    "test_split_reads",
    "test_gzipped_file",
    "test_non_utf8_encoded_file",
    "test_multi_char_delimiter_split_across_buffer_boundary",
    "test_checkpointer_restart",
    "file_start_position_server_restart",
    "file_duplicate_processing_after_restart",
    "test_multi_line_checkpointing",
];

const VECTOR_HERE: Table = &[
    ("experiment", Held(&["source::file::tests::a_followed_file_gives_what_the_model_says"])),
    ("experiment_no_truncations", Held(&["source::file::tests::a_followed_file_gives_what_the_model_says"])),
    ("test_single_byte_delimiter_boundary", Held(&["following::files::every_split_of_awkward_bytes_gives_the_same_lines"])),
    ("qc_read_until_with_max_size", Held(&["framing::a_line_of_exactly_the_limit_is_whole_even_with_crlf"])),
    ("test_checksum_fingerprint", Not("files are not known by their first bytes")),
    ("no_error_on_dir", Held(&["following::torture::a_file_that_becomes_a_directory_and_a_file_again"])),
    ("file_truncate", Held(&["following::torture::a_file_that_is_truncated_and_grows_again"])),
    ("file_rotate", Held(&["following::torture::a_file_that_is_renamed_and_made_anew"])),
    ("file_read_empty_lines", Held(&["following::files::empty_lines_are_events"])),
    ("file_max_line_bytes", Held(&["following::files::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two"])),
    ("test_fair_reads", Held(&["following::scale::a_file_written_at_full_speed_does_not_hold_up_the_others"])),
    ("test_oldest_first", Held(&["following::torture::two_and_three_renames_between_two_looks"])),
    ("test_split_reads", Held(&["following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text"])),
    ("test_gzipped_file", Held(&["following::files::compressed_and_hidden_files_are_left_out_of_globs"])),
    ("test_non_utf8_encoded_file", Held(&["following::files::bytes_that_are_not_utf8_are_shown_as_such"])),
    ("test_multi_char_delimiter_split_across_buffer_boundary", Held(&["following::torture::lines_that_end_in_cr_and_lf"])),
    ("test_checkpointer_restart", Not(NO_STATE)),
    ("file_start_position_server_restart", Held(&["following::old_lines::a_file_begins_where_the_user_says"])),
    (
        "file_duplicate_processing_after_restart",
        Held(&["following::old_lines::who_comes_from_another_life_gets_a_gap_and_nothing_again"]),
    ),
    ("test_multi_line_checkpointing", Not("a line is an event; lines are not joined")),
];

/// Filebeat, rsyslog's imfile, Alloy and nxadm/tail: what the others do not have already.
const OTHERS: &[&str] = &[
    "filestream_truncation_test.go",
    "filestream_close_eof_test.go",
    "filestream_fd_exhaustion_test.go",
    "filestream_delete_test.go",
    "filestream_gzip_test.go",
    "TestFilestreamCloseRenamed",
    "TestFilestreamEmptyLinesOnly",
    "TestFilestreamBOMUTF8",
    "TestFilestreamUTF16BOMs",
    "fswatch_race_test.go",
    "imfile-logrotate-copytruncate.sh",
    "imfile-truncate-multiple.sh",
    "imfile-truncate-2GB-file.sh",
    "imfile-rename-while-stopped.sh",
    "imfile-same-file-monitors.sh",
    "imfile-symlink-multi.sh",
    "imfile-inotify-fd-release-on-delete.sh",
    "imfile-error-not-repeated.sh",
    "imfifo.sh",
    "alloy: file rotation drains remaining lines from old file",
    "alloy: should handle atomic writes",
    "alloy: partial line",
    "alloy: TestTailerCancelWhileSendBlocked",
    "nxadm: TestReOpenInotify",
    "nxadm: TestReOpenPolling",
    "nxadm: TestIncompleteLines",
    "nxadm: TestInotify_WaitForCreateThenMove",
    "nxadm: TestOver4096ByteLine",
    "nxadm: TestRateLimiting",
];

const OTHERS_HERE: Table = &[
    ("filestream_truncation_test.go", Held(&["following::torture::a_file_that_is_truncated_and_grows_again"])),
    ("filestream_close_eof_test.go", Held(&["following::scale::idle_files_cost_no_descriptor_beyond_a_bound"])),
    ("filestream_fd_exhaustion_test.go", Held(&["following::scale::five_thousand_files_are_followed_with_256_descriptors"])),
    ("filestream_delete_test.go", Not("files are read, never deleted")),
    ("filestream_gzip_test.go", Held(&["following::files::compressed_and_hidden_files_are_left_out_of_globs"])),
    ("TestFilestreamCloseRenamed", Held(&["following::files::late_lines_of_a_renamed_file_come_and_then_it_is_closed"])),
    ("TestFilestreamEmptyLinesOnly", Held(&["following::files::empty_lines_are_events"])),
    ("TestFilestreamBOMUTF8", Held(&["following::files::a_byte_order_mark_is_no_content"])),
    ("TestFilestreamUTF16BOMs", Not("an event stream is UTF-8; other bytes are shown as U+FFFD")),
    ("fswatch_race_test.go", Held(&["following::torture::everything_in_any_order"])),
    ("imfile-logrotate-copytruncate.sh", Held(&["following::tools::logrotate_copies_and_truncates"])),
    ("imfile-truncate-multiple.sh", Held(&["following::torture::a_file_that_is_truncated_and_grows_again"])),
    ("imfile-truncate-2GB-file.sh", Held(&["following::files::offsets_beyond_four_gibibytes"])),
    ("imfile-rename-while-stopped.sh", Not(NO_STATE)),
    ("imfile-same-file-monitors.sh", Held(&["following::sources::a_file_with_two_names_is_read_once_where_it_is_named_first"])),
    ("imfile-symlink-multi.sh", Held(&["following::sources::a_glob_reads_a_file_with_two_names_by_the_name_seen_first"])),
    ("imfile-inotify-fd-release-on-delete.sh", Held(&["following::files::the_space_of_a_deleted_file_is_given_back"])),
    ("imfile-error-not-repeated.sh", Held(&["following::sources::a_change_of_state_is_said_once_however_long_it_lasts"])),
    ("imfifo.sh", Held(&["following::pipes::writers_come_and_go_for_ever"])),
    (
        "alloy: file rotation drains remaining lines from old file",
        Held(&[
            "following::torture::a_file_that_is_renamed_and_made_anew",
            "following::tools::nginx_writes_its_access_log_and_is_told_to_open_it_again",
        ]),
    ),
    (
        "alloy: should handle atomic writes",
        Held(&[
            "following::torture::a_file_that_is_replaced_by_another_one",
            "following::files::an_editors_save_replaces_the_file",
        ]),
    ),
    ("alloy: partial line", Held(&["following::torture::a_line_that_is_finished_later"])),
    ("alloy: TestTailerCancelWhileSendBlocked", Held(&["integration::stop::a_stalled_client_does_not_hold_it"])),
    ("nxadm: TestReOpenInotify", Held(&["following::torture::a_file_that_is_deleted_and_made_again"])),
    ("nxadm: TestReOpenPolling", Held(&["following::torture::a_file_that_is_deleted_and_made_again"])),
    ("nxadm: TestIncompleteLines", Held(&["following::files::a_partial_line_is_one_event_when_it_ends"])),
    ("nxadm: TestInotify_WaitForCreateThenMove", Held(&["following::torture::a_file_that_is_replaced_by_another_one"])),
    ("nxadm: TestOver4096ByteLine", Held(&["following::torture::a_file_that_is_renamed_and_made_anew"])),
    ("nxadm: TestRateLimiting", Not("nothing is dropped for coming too fast")),
];

/// The file of a module: of a test target, or of the library.
fn file_of(module: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = module.replace("::", "/");
    let is_target = ["following/", "integration/", "conformance/"].iter().any(|target| path.starts_with(target));
    let base = root.join(if is_target { "tests" } else { "src" }).join(path);
    let file = base.with_extension("rs");
    if file.exists() { file } else { base.join("mod.rs") }
}

#[test]
fn every_case_of_other_tailers_is_held_by_a_test_or_does_not_apply() {
    let lists = [
        (GNU_TAIL, GNU_TAIL_HERE),
        (FLUENT_BIT, FLUENT_BIT_HERE),
        (OPEN_TELEMETRY, OPEN_TELEMETRY_HERE),
        (VECTOR, VECTOR_HERE),
        (OTHERS, OTHERS_HERE),
    ];
    for (names, table) in lists {
        let rows: Vec<_> = table.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, rows, "a row for each name, in the same order");
    }
    let mut missing = Vec::new();
    for (name, here) in lists.into_iter().flat_map(|(_, table)| table) {
        match here {
            Held(tests) => {
                assert!(!tests.is_empty(), "{name}");
                missing.extend(tests.iter().filter(|test| !exists(test)).map(|test| format!("{name}: {test}")));
            }
            Not(reason) => assert!(reason.split(' ').count() > 4, "{name}: {reason:?} is no reason"),
        }
    }
    assert!(missing.is_empty(), "no such tests:\n{}", missing.join("\n"));
}

fn exists(test: &str) -> bool {
    let (module, function) = test.rsplit_once("::").expect("module::function");
    fs::read_to_string(file_of(module)).is_ok_and(|source| source.contains(&format!("fn {function}(")))
}
