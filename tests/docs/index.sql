SET client_min_messages = warning;
CREATE EXTENSION tinyquant;
RESET client_min_messages;
