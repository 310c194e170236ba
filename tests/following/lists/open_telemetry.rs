//! OpenTelemetry: `rotation_test.go` and `file_test.go` of `pkg/stanza/fileconsumer`.

use super::{Held, NO_STATE, Not, Table};

pub const TESTS: &[&str] = &[
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

pub const HERE: Table = &[
    ("TestMultiFileRotate", Held(&["following::torture::several::several_files_that_are_rotated_fast"])),
    (
        "TestMultiFileRotateSlow",
        Held(&[
            "following::torture::several::several_files_that_are_rotated_fast",
            "following::scale::late_lines_of_many_rotated_files_come_as_long_as_there_are_descriptors",
        ]),
    ),
    ("TestMultiCopyTruncateSlow", Held(&["following::files::rotation::copytruncate_under_a_glob_that_matches_the_copies"])),
    ("TestRotation/NoRotation/MoveCreate", Held(&["following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text"])),
    ("TestRotation/NoRotation/CopyTruncate", Held(&["following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text"])),
    (
        "TestRotation/NoDeletion/MoveCreateTimestamped",
        Held(&["following::torture::cases::a_file_that_is_renamed_and_made_anew", "following::tools::logrotate_creates"]),
    ),
    (
        "TestRotation/NoDeletion/MoveCreateSequential",
        Held(&["following::torture::cases::a_file_that_is_renamed_and_made_anew", "following::tools::logrotate_creates"]),
    ),
    (
        "TestRotation/NoDeletion/CopyTruncateTimestamped",
        Held(&[
            "following::torture::cases::a_file_that_is_copied_and_truncated",
            "following::tools::logrotate_copies_and_truncates",
        ]),
    ),
    (
        "TestRotation/NoDeletion/CopyTruncateSequential",
        Held(&[
            "following::torture::cases::a_file_that_is_copied_and_truncated",
            "following::tools::logrotate_copies_and_truncates",
        ]),
    ),
    (
        "TestRotation/Deletion",
        Held(&[
            "following::torture::cases::a_file_that_is_deleted_and_made_again",
            "following::torture::cases::a_file_that_is_copied_elsewhere_and_truncated",
        ]),
    ),
    (
        "TestRotation/Deletion/ExceedFingerprint",
        Not(
            "files are not known by their first bytes: the inode, the time of making and the bytes before the offset tell them apart",
        ),
    ),
    ("TestMoveFile", Held(&["following::files::rotation::rapid_rotation_by_rename_under_a_glob_that_matches_the_rotated_names"])),
    ("TestTrackMovedAwayFiles", Held(&["following::torture::cases::a_directory_that_is_removed_and_made_again"])),
    ("TestTruncateThenWrite", Held(&["following::torture::cases::a_file_that_is_truncated_and_grows_again"])),
    ("TestCopyTruncateWriteBoth", Held(&["following::files::rotation::copytruncate_under_a_glob_that_matches_the_copies"])),
    ("TestFileMovedWhileOff_BigFiles", Not(NO_STATE)),
    ("TestFileMovedWhileOff_SmallFiles", Not(NO_STATE)),
    (
        "TestSplitWrite",
        Held(&[
            "following::torture::cases::a_line_that_is_finished_later",
            "following::files::content::every_split_of_awkward_bytes_gives_the_same_lines",
        ]),
    ),
    ("TestLeadingEmpty", Held(&["following::files::content::empty_lines_are_events"])),
    ("TestIgnoreEmptyFiles", Held(&["following::old_lines::an_empty_file_has_no_old_lines_and_its_first_one_is_new"])),
    ("TestDecodeBufferIsResized", Held(&["following::files::content::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two"])),
    ("TestManyLogsDelivered", Held(&["following::tools::logrotate_creates"])),
    ("TestRestartOffsets", Not(NO_STATE)),
    ("TestFileBatching", Held(&["following::scale::five_thousand_files_are_followed_with_256_descriptors"])),
    ("TestFileBatchingRespectsStartAtEnd", Held(&["following::old_lines::old_lines_of_many_files_are_all_there"])),
    ("TestEncodings", Held(&["following::files::content::bytes_that_are_not_utf8_are_shown_as_such"])),
    ("TestMultiFileParallel_PreloadedFiles", Held(&["following::old_lines::old_lines_of_many_files_are_all_there"])),
    ("TestMultiFileParallel_LiveFiles", Held(&["following::scale::five_thousand_files_are_followed_with_256_descriptors"])),
];
