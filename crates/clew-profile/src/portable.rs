//! A profile as a file: to be shipped with an image, kept beside it, or read by people.

use clew_event::Text;
use serde::{Deserialize, Serialize};

use crate::workload::{VERSIONS_MAX, Workload};

/// What the file says it is.
const FORMAT: &str = "clew-profile";
/// Version of its form.
pub const FILE_VERSION: u16 = 1;
/// Longest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// One workload's profiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileFile {
    format: String,
    version: u16,
    /// Whose profiles.
    pub workload: Text,
    /// The profiles.
    pub learned: Workload,
}

/// Why a file could not be taken; whatever was known before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileFileError {
    /// It is longer than anything that was exported.
    #[error("the profile has {given} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLong {
        /// Its length.
        given: usize,
    },
    /// It says that it is something else.
    #[error("the file says it is `{given}`, a profile says `{FORMAT}`")]
    Format {
        /// What it says.
        given: String,
    },
    /// It was written by another version.
    #[error("the profile has version {given}, this Clew reads {FILE_VERSION}: export it anew")]
    Version {
        /// Its version.
        given: u16,
    },
    /// It is cut, or was edited so that it contradicts itself.
    #[error("the profile cannot be read: it is cut or was edited; export it anew")]
    Malformed(#[source] serde_json::Error),
    /// Its counts cannot have come from learning.
    #[error("the profile contradicts itself: it was edited; export it anew")]
    Contradiction,
}

impl ProfileFile {
    /// The file of a workload.
    #[must_use]
    pub fn new(workload: Text, learned: Workload) -> Self {
        Self { format: FORMAT.to_owned(), version: FILE_VERSION, workload, learned }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ProfileFileError`] says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, ProfileFileError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u16,
        }
        let given = bytes.len();
        if FILE_BYTES_MAX < given {
            return Err(ProfileFileError::TooLong { given });
        }
        let head: Head = serde_json::from_slice(bytes).map_err(ProfileFileError::Malformed)?;
        if head.format != FORMAT {
            return Err(ProfileFileError::Format { given: head.format });
        }
        if head.version != FILE_VERSION {
            return Err(ProfileFileError::Version { given: head.version });
        }
        let file: Self = serde_json::from_slice(bytes).map_err(ProfileFileError::Malformed)?;
        let versions = file.learned.versions();
        let is_whole = versions.len() <= VERSIONS_MAX
            && versions.iter().all(|version| version.profile.is_whole());
        if is_whole { Ok(file) } else { Err(ProfileFileError::Contradiction) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        let error = ProfileFile::read(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let file = ProfileFile::new("shop/web".into(), Workload::default());
        let bytes = serde_json::to_vec(&file).unwrap();
        assert_eq!(ProfileFile::read(&bytes).unwrap(), file);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let file = ProfileFile::new("shop/web".into(), Workload::default());
        let text = serde_json::to_string(&file).unwrap();
        let version = format!("\"version\":{FILE_VERSION}");
        check(&text.as_bytes()[..text.len() / 2], "cut or was edited");
        check(text.replace(FORMAT, "spoon").as_bytes(), "`spoon`");
        check(text.replace(&version, "\"version\":77").as_bytes(), "77");
        check(text.replace("\"versions\"", "\"visions\"").as_bytes(), "cut or was edited");
        check(&vec![b' '; FILE_BYTES_MAX + 1], "at most");
    }
}
