CREATE TABLE "signing_secrets" (
	"id" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"fingerprint" varchar(43) NOT NULL,
	CONSTRAINT "signing_secrets_one_row" CHECK ("signing_secrets"."id" = 1)
);
