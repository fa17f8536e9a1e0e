//! S3: sessions from issued credentials, dated listing, object streams that resume and verify
