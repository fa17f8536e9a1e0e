//! The queue port: topics, transactional consume-and-publish with a checkpoint
