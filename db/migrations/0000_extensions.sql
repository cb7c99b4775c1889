-- Trigram indexes serve every search.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
