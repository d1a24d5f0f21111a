//! What the protos say about themselves.

use std::collections::HashMap;

use prost_reflect::FileDescriptor;

/// Comments in front of declarations, by file and place.
pub(super) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(super) fn new() -> Self {
        let mut comments = HashMap::new();
        for file in reflex_proto::descriptor_pool().files() {
            let locations = file
                .file_descriptor_proto()
                .source_code_info
                .iter()
                .flat_map(|info| &info.location);
            for location in locations {
                let Some(comment) = &location.leading_comments else {
                    continue;
                };
                let lines: Vec<_> = comment.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                comments.insert((file.name().to_owned(), location.path.clone()), lines.join(" "));
            }
        }
        Self(comments)
    }

    /// Returns the comment in front of what is declared at `path` of a file, or nothing.
    pub(super) fn of(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        let key = (file.name().to_owned(), path.to_vec());
        self.0.get(&key).map_or("", String::as_str)
    }
}
