-- Run by the image when it makes its data directory, in the database of POSTGRES_DB.
CREATE EXTENSION tinyquant;
